// Looks at a page as people do: in a browser, wide and narrow, light and dark. Prints as JSON what a browser, axe, and
// whoever has to scroll sideways would complain about.
//
//   node page.cjs BROWSER URL [FOLDER]      FOLDER: for pictures, WIDTH-SCHEME.png
const { chromium } = require("playwright-core");
const axe = require("axe-core");

async function look(browser, url, width, scheme, folder) {
  // The page's own policy refuses scripts: axe is one.
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, bypassCSP: true });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => complaints.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith("data:") && new URL(request.url()).origin !== new URL(url).origin) {
      complaints.push(`foreign host: ${request.url()}`);
    }
  });
  page.on("requestfailed", (request) => complaints.push(`failed: ${request.url()}`));
  const response = await page.goto(url, { waitUntil: "load" });
  if (!response.ok()) complaints.push(`status: ${response.status()}`);
  const picture = async (name) => folder && page.screenshot({ path: `${folder}/${width}-${scheme}${name}.png`, fullPage: true });
  await picture("");
  const judge = async (what) => {
    const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (sideways > 0) complaints.push(`${what}: ${sideways} pixels wider than the window`);
    await page.evaluate(axe.source);
    const found = await page.evaluate(() => axe.run());
    if (found.passes.length < 10) complaints.push("axe: it looked at hardly anything");
    for (const violation of found.violations) {
      complaints.push(`${what}: axe: ${violation.id}: ${violation.nodes.map((node) => node.html).slice(0, 3).join(" | ")}`);
    }
  };
  await judge("as it opens");
  await page.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
  await judge("all unfolded");
  await picture("-unfolded");
  const text = await page.evaluate(() => document.body.innerText);
  const scripts = await page.evaluate(() => document.scripts.length);
  const links = await page.evaluate(() => [...document.links].map((link) => link.href));
  await context.close();
  return { width, scheme, complaints, text, scripts, links };
}

(async () => {
  const [executablePath, url, folder] = process.argv.slice(2);
  const quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", ...quiet] });
  const looks = [];
  for (const [width, scheme] of [[1400, "light"], [1400, "dark"], [400, "light"], [400, "dark"]]) {
    looks.push(await look(browser, url, width, scheme, folder));
  }
  await browser.close();
  console.log(JSON.stringify(looks));
})().catch((error) => { console.error(error); process.exit(1); });
