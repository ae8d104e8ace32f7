//! One HTTP request: proxies, redirects, and what an answer means.
//!
//! Two clients, because a request for `http://` goes through a proxy differently from one for
//! `https://`: ureq would ask for a tunnel (CONNECT) for both, which most proxies allow for port 443 only.
//! For `http://` the proxy gets the absolute address instead (RFC 9112 3.2.2).

use std::collections::HashMap;
use std::io::Read;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, TcpConnector, Transport,
};
use ureq::{Agent, ProxyProtocol};
use url::Url;

use super::proxy::{Proxies, Proxy};

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    /// For a connection, and for the start of an answer.
    pub(super) connect: Duration,
    /// For more of an answer: a stalled mirror is given up.
    pub(super) read: Duration,
    /// For everything that is asked of one client, from its making on: somebody who sends a byte now and then is given up too.
    pub(super) all: Option<Duration>,
}

/// Why a request did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) why: String,
    pub(super) kind: FaultKind,
    /// How long the server asks to be left alone.
    pub(super) after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// The host cannot be reached at all; it may be worth another attempt.
    Unreachable,
    /// It may work at another attempt.
    Passing,
    /// It lets us wait: the same, but others may be faster.
    Slow,
    /// It will not work from this address.
    Lasting,
    /// Something else was received than what was pinned.
    Wrong,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, why: impl Into<String>) -> Self {
        Self { why: why.into(), kind, after: None }
    }

    /// What ended an answer in its middle.
    pub(super) fn of_body(what: &str, error: &std::io::Error) -> Self {
        // ureq's own error is inside.
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
        let waited = error.kind() == std::io::ErrorKind::TimedOut || matches!(inner, Some(ureq::Error::Timeout(_)));
        let kind = if waited { FaultKind::Slow } else { FaultKind::Passing };
        match inner {
            Some(ureq::Error::Timeout(ureq::Timeout::Global)) => Self::new(kind, format!("{what}: it is too slow")),
            _ => Self::new(kind, format!("{what}: {error}")),
        }
    }
}

/// An answer whose body is still to be read.
pub(super) struct Answer {
    /// 200 or 206.
    pub(super) partial: bool,
    /// First byte of a partial answer.
    pub(super) start: u64,
    /// Bytes that this answer brings, if it says so.
    pub(super) length: Option<u64>,
    pub(super) body: Box<dyn Read>,
}

#[derive(Debug)]
pub(super) struct Client {
    proxies: Proxies,
    /// When nothing is waited for any more, and how long that was.
    end: Option<(Instant, Duration)>,
    direct: Agent,
    http: Option<Agent>,
    https: Option<Agent>,
}

impl Client {
    /// Takes the proxies from variables, see [`Proxies`].
    pub(super) fn new(timeouts: Timeouts, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let proxies = Proxies::new(variable);
        let http = proxies.of(false).map(|proxy| {
            let connector = ().chain(TcpConnector::default()).chain(ForwardConnector(credentials(proxy)));
            let resolver = ProxyResolver { host: proxy.host.clone(), port: proxy.port };
            Agent::with_parts(config(timeouts, None), connector, resolver)
        });
        let https = proxies.of(true).and_then(tunnel).map(|proxy| usual(config(timeouts, Some(proxy))));
        let end = timeouts.all.and_then(|all| Some((Instant::now().checked_add(all)?, all)));
        Self { proxies, end, direct: usual(config(timeouts, None)), http, https }
    }

    /// How long may still be waited.
    fn left(&self) -> Result<Option<Duration>, Fault> {
        let Some((end, all)) = self.end else { return Ok(None) };
        let left = end.saturating_duration_since(Instant::now());
        let over = || Fault::new(FaultKind::Slow, format!("it was not done after {} s", all.as_secs()));
        if left.is_zero() { Err(over()) } else { Ok(Some(left)) }
    }

    fn agent(&self, uri: &Uri) -> Result<&Agent, Fault> {
        let https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let used = self.proxies.used(https, uri.host().unwrap_or_default(), port);
        let proxied = if https { &self.https } else { &self.http };
        match used.map_err(|why| Fault::new(FaultKind::Lasting, why))? {
            true => proxied.as_ref().ok_or_else(|| Fault::new(FaultKind::Lasting, "the proxy cannot be used")),
            false => Ok(&self.direct),
        }
    }

    /// GET, from byte `from` on.
    pub(super) fn get(&self, url: &str, from: u64) -> Result<Answer, Fault> {
        self.request(url, from, false)
    }

    /// POST without content.
    pub(super) fn post(&self, url: &str) -> Result<Answer, Fault> {
        self.request(url, 0, true)
    }

    fn request(&self, url: &str, from: u64, post: bool) -> Result<Answer, Fault> {
        let lasting = |why: String| Fault::new(FaultKind::Lasting, why);
        let mut uri: Uri = url.parse().map_err(|error| lasting(format!("not an address: {error}")))?;
        for _ in 0..6 {
            if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
                return Err(lasting("only http:// and https:// addresses can be downloaded from".into()));
            }
            let agent = self.agent(&uri)?;
            let left = self.left()?;
            let sent = if post {
                agent.post(&uri).config().timeout_global(left).build().send_empty()
            } else {
                let get = agent.get(&uri).config().timeout_global(left).build();
                if from > 0 { get.header("range", format!("bytes={from}-")).call() } else { get.call() }
            };
            let response = sent.map_err(|error| fault_of(&error))?;
            let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
            let status = response.status().as_u16();
            if matches!(status, 301 | 302 | 303 | 307 | 308) {
                let Some(location) = header("location") else {
                    return Err(lasting(format!("HTTP {status} without a location")));
                };
                uri = follow(&uri, &location)
                    .ok_or_else(|| lasting(format!("HTTP {status} to '{location}', which is not an address")))?;
                continue;
            }
            let html = header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
            return match status {
                200 | 206 if html => Err(html_fault()),
                200 | 201 | 206 => Ok(Answer {
                    partial: status == 206,
                    start: header("content-range").as_deref().and_then(range_start).unwrap_or(0),
                    length: header("content-length").and_then(|length| length.parse().ok()),
                    body: Box::new(response.into_body().into_reader()),
                }),
                408 | 425 | 429 | 500..=599 => Err(Fault {
                    after: header("retry-after").as_deref().and_then(retry_after),
                    ..Fault::new(FaultKind::Passing, format!("HTTP {status}"))
                }),
                _ => Err(lasting(format!("HTTP {status}"))),
            };
        }
        Err(lasting("too many redirections".into()))
    }
}

/// A log-in page or an error page where a file should be.
pub(super) fn html_fault() -> Fault {
    Fault::new(
        FaultKind::Lasting,
        "it answers with a web page instead of the file (a proxy's or hotspot's log-in page?)",
    )
}

fn config(timeouts: Timeouts, proxy: Option<ureq::Proxy>) -> Config {
    Agent::config_builder()
        .proxy(proxy)
        .http_status_as_error(false)
        // Redirections are followed here: another scheme may need another proxy.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("mesos-packages/", env!("CARGO_PKG_VERSION")))
        // The system's own store, so that a company's authority works.
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .timeout_resolve(Some(timeouts.connect))
        .timeout_connect(Some(timeouts.connect))
        .timeout_recv_response(Some(timeouts.read))
        .timeout_per_read(Some(timeouts.read))
        .build()
}

fn usual(config: Config) -> Agent {
    Agent::with_parts(config, DefaultConnector::new(), RememberingResolver::default())
}

/// Asks for a name once. Otherwise every request would, also those on an open connection; one lost
/// answer of many hundreds then stops everything for five seconds.
#[derive(Debug, Default)]
struct RememberingResolver {
    asked: DefaultResolver,
    known: Mutex<HashMap<String, Vec<SocketAddr>>>,
}

impl Resolver for RememberingResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let key = format!("{:?} {:?}", uri.scheme_str(), uri.authority());
        // Locked while asking: the other threads want the same answer.
        let mut known = self.known.lock().unwrap();
        if let Some(addresses) = known.get(&key) {
            let mut found = self.empty();
            addresses.iter().for_each(|address| found.push(*address));
            return Ok(found);
        }
        let found = self.asked.resolve(uri, config, timeout)?;
        known.insert(key, found.to_vec());
        Ok(found)
    }
}

fn fault_of(error: &ureq::Error) -> Fault {
    use ureq::Error as E;
    // A refused certificate comes as an error of reading, with TLS's own error inside.
    let certificate = matches!(error, E::Rustls(_) | E::Tls(_)) || error.to_string().contains("certificate");
    let kind = match error {
        _ if certificate => FaultKind::Lasting,
        E::HostNotFound | E::ConnectionFailed | E::ConnectProxyFailed(_) => FaultKind::Unreachable,
        E::Timeout(ureq::Timeout::Resolve) => FaultKind::Unreachable,
        E::Timeout(_) => FaultKind::Slow,
        E::Io(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::ConnectionRefused
                    | std::io::ErrorKind::HostUnreachable
                    | std::io::ErrorKind::NetworkUnreachable
            ) =>
        {
            FaultKind::Unreachable
        }
        E::BadUri(_) | E::Http(_) => FaultKind::Lasting,
        _ => FaultKind::Passing,
    };
    let hint = if certificate {
        " (is ca-certificates installed, and your own authority in the system's store, if you have one?)"
    } else {
        ""
    };
    Fault::new(kind, format!("{error}{hint}"))
}

/// `bytes 5-9/10` (RFC 9110 14.4).
fn range_start(text: &str) -> Option<u64> {
    text.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

/// Seconds, or a date (RFC 9110 10.2.3).
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let wait = crate::debian::release::parse_date(text)? - time::OffsetDateTime::now_utc();
    Some(wait.try_into().unwrap_or_default())
}

/// Resolves a Location (RFC 9110 10.2.2).
fn follow(base: &Uri, location: &str) -> Option<Uri> {
    let mut url = Url::parse(&base.to_string()).ok()?.join(location).ok()?;
    url.set_fragment(None);
    url.as_str().parse().ok()
}

/// The proxy as ureq asks for a tunnel.
fn tunnel(proxy: &Proxy) -> Option<ureq::Proxy> {
    let host = if proxy.host.contains(':') { format!("[{}]", proxy.host) } else { proxy.host.clone() };
    let mut builder = ureq::Proxy::builder(ProxyProtocol::Http).host(&host).port(proxy.port);
    if let Some((user, password)) = &proxy.user {
        builder = builder.username(user).password(password);
    }
    builder.build().ok()
}

/// `Proxy-Authorization`'s value (RFC 7617).
fn credentials(proxy: &Proxy) -> Option<String> {
    let (user, password) = proxy.user.as_ref()?;
    Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))
}

/// Every name is the proxy's: it alone is connected to, and it alone resolves names.
#[derive(Debug)]
struct ProxyResolver {
    host: String,
    port: u16,
}

impl Resolver for ProxyResolver {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut found = self.empty();
        for address in (self.host.as_str(), self.port).to_socket_addrs()?.take(16) {
            found.push(address);
        }
        if found.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(found) }
    }
}

/// Makes requests on a connection absolute: what a proxy wants.
#[derive(Debug)]
struct ForwardConnector(Option<String>);

impl<In: Transport> Connector<In> for ForwardConnector {
    type Out = ForwardTransport<In>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        let authority = details.uri.authority().map(ToString::to_string).unwrap_or_default();
        Ok(chained.map(|inner| ForwardTransport { inner, authority, credentials: self.0.clone() }))
    }
}

#[derive(Debug)]
struct ForwardTransport<In> {
    inner: In,
    authority: String,
    credentials: Option<String>,
}

impl<In: Transport> Transport for ForwardTransport<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let output = self.inner.buffers().output();
        // A request's head starts with its method and a path; requests here have no other content.
        let Some(at) = output[..amount].windows(2).position(|pair| pair == b" /") else {
            return self.inner.transmit_output(amount, timeout);
        };
        let mut head = output[..=at].to_vec();
        head.extend(format!("http://{}", self.authority).bytes());
        head.extend(&output[at + 1..amount]);
        if let (Some(credentials), Some(line)) = (&self.credentials, head.windows(2).position(|pair| pair == b"\r\n")) {
            let header = format!("\r\nproxy-authorization: {credentials}");
            head.splice(line..line, header.bytes());
        }
        let Some(room) = output.get_mut(..head.len()) else {
            return Err(ureq::Error::LargeResponseHeader(head.len(), output.len()));
        };
        room.copy_from_slice(&head);
        self.inner.transmit_output(head.len(), timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_resolved() {
        let base: Uri = "http://a.example/x/y".parse().unwrap();
        for (location, expected) in [
            ("https://b.example/z", "https://b.example/z"),
            ("//b.example/z", "http://b.example/z"),
            ("/z?q=1", "http://a.example/z?q=1"),
            ("z", "http://a.example/x/z"),
            ("../z", "http://a.example/z"),
            ("./../../z/./q#part", "http://a.example/z/q"),
            ("?q=2", "http://a.example/x/y?q=2"),
        ] {
            assert_eq!(follow(&base, location).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn basic_credentials() {
        // The example of RFC 7617 2.
        let user = Some(("Aladdin".to_owned(), "open sesame".to_owned()));
        let proxy = Proxy { host: "p".into(), port: 1, user };
        assert_eq!(credentials(&proxy).unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn a_server_says_how_long_it_wants_to_be_left_alone() {
        assert_eq!(retry_after("120"), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert!(retry_after("Fri, 21 Oct 2095 07:28:00 GMT").unwrap() > Duration::from_secs(86_400));
        assert_eq!(retry_after("soon"), None);
    }
}
