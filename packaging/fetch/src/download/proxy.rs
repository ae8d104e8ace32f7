//! Proxies from the environment, by curl's rules (curl(1), "ENVIRONMENT", and `lib/noproxy.c` in its source). What cannot be
//! followed is refused by name: a connection past a proxy that somebody has asked for would be a surprise.

use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// Where curl looks for a proxy that names no port.
const PORT: u16 = 1080;

/// A proxy that is asked for other hosts' files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proxy {
    /// Its name, or address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// User and password, which may be empty.
    pub(super) user: Option<(String, String)>,
}

/// The proxies of one kind of address, and where they are not used.
#[derive(Clone, Debug)]
pub(super) struct Proxies {
    http: Option<Result<Proxy, String>>,
    https: Option<Result<Proxy, String>>,
    except: Result<Exceptions, String>,
}

impl Proxies {
    /// Takes them from variables: `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, also in capitals.
    pub(super) fn new(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            let names = [name.to_owned(), name.to_uppercase()];
            names.into_iter().find_map(|name| Some((variable(&name).filter(|value| !value.trim().is_empty())?, name)))
        };
        let proxy = |name: &str| {
            let (value, name) = either(name).or_else(|| either("all_proxy"))?;
            Some(parse(value.trim()).map_err(|why| format!("the proxy in {name}, '{}', {why}", masked(&value))))
        };
        let except = match either("no_proxy") {
            Some((value, name)) => Exceptions::parse(&value)
                .map_err(|entry| format!("{name} has '{entry}', which is neither a host nor a network")),
            None => Ok(Exceptions::default()),
        };
        Self { http: proxy("http_proxy"), https: proxy("https_proxy"), except }
    }

    /// The proxy for every address of a scheme, where there is one that can be used.
    pub(super) fn of(&self, https: bool) -> Option<&Proxy> {
        if https { &self.https } else { &self.http }.as_ref()?.as_ref().ok()
    }

    /// Whether an address is asked for through a proxy.
    ///
    /// # Errors
    /// What the environment says cannot be followed.
    pub(super) fn used(&self, https: bool, host: &str, port: u16) -> Result<bool, String> {
        let Some(proxy) = (if https { &self.https } else { &self.http }) else { return Ok(false) };
        if self.except.clone()?.has(host, port) {
            return Ok(false);
        }
        proxy.clone().map(|_| true)
    }
}

fn parse(value: &str) -> Result<Proxy, String> {
    let address = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let url = Url::parse(&address).map_err(|error| format!("cannot be read ({error})"))?;
    if url.scheme() != "http" {
        return Err(format!("is of the kind {}, and only http:// proxies can be used", url.scheme()));
    }
    let host = match url.host() {
        Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        _ => return Err("names no host".into()),
    };
    // The URL's own default, 80, is not told from none.
    let after = address.rsplit_once('@').map_or(address.as_str(), |(_, host)| host);
    let port = url.port().unwrap_or(if after.trim_end_matches('/').ends_with(":80") { 80 } else { PORT });
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let user = (!url.username().is_empty() || url.password().is_some())
        .then(|| (decoded(url.username()), decoded(url.password().unwrap_or_default())));
    Ok(Proxy { host, port, user })
}

/// Without user and password: it is shown to whoever reads the log.
fn masked(value: &str) -> String {
    match (value.split_once("://"), value.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        (None, Some((_, host))) => format!("…@{host}"),
        _ => value.to_owned(),
    }
}

/// Hosts that no proxy is asked for.
#[derive(Clone, Debug, Default)]
struct Exceptions(Vec<Exception>);

#[derive(Clone, Debug)]
struct Exception {
    what: What,
    port: Option<u16>,
}

#[derive(Clone, Debug)]
enum What {
    All,
    /// A name, and all names below it.
    Domain(String),
    /// An address, and how many of its bits count.
    Network(IpAddr, u8),
}

impl Exceptions {
    /// Entries are separated by commas or blanks. The error is the entry that cannot be read.
    fn parse(text: &str) -> Result<Self, String> {
        let entries = text.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
        entries.map(|entry| Exception::parse(entry).ok_or_else(|| entry.to_owned())).collect::<Result<_, _>>().map(Self)
    }

    fn has(&self, host: &str, port: u16) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
        self.0.iter().any(|entry| entry.port.is_none_or(|wanted| wanted == port) && entry.what.has(&host))
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self { what: What::All, port: None });
        }
        let (name, port) = match entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((name, "")) => (name, None),
            Some((name, rest)) => (name, Some(rest.strip_prefix(':')?.parse().ok()?)),
            // More than one colon is an address without brackets.
            None if entry.matches(':').count() == 1 => {
                let (name, port) = entry.split_once(':')?;
                (name, Some(port.parse().ok()?))
            }
            None => (entry, None),
        };
        let (address, bits) = name.split_once('/').map_or((name, None), |(address, bits)| (address, Some(bits)));
        let what = match (address.parse::<IpAddr>(), bits) {
            (Ok(address), bits) => {
                let most = if address.is_ipv4() { 32 } else { 128 };
                What::Network(address, bits.map_or(Some(most), |bits| bits.parse().ok().filter(|bits| *bits <= most))?)
            }
            (Err(_), Some(_)) => return None,
            (Err(_), None) => {
                let name = name.trim_start_matches("*.").trim_start_matches('.').trim_end_matches('.');
                let good = |c: char| c.is_alphanumeric() || "-._".contains(c);
                What::Domain(Some(name.to_ascii_lowercase()).filter(|name| !name.is_empty() && name.chars().all(good))?)
            }
        };
        Some(Self { what, port })
    }
}

impl What {
    fn has(&self, host: &str) -> bool {
        match (self, host.parse::<IpAddr>()) {
            (Self::All, _) => true,
            (Self::Network(IpAddr::V4(net), bits), Ok(IpAddr::V4(address))) => {
                let shift = 32 - u32::from(*bits);
                net.to_bits().checked_shr(shift).unwrap_or(0) == address.to_bits().checked_shr(shift).unwrap_or(0)
            }
            (Self::Network(IpAddr::V6(net), bits), Ok(IpAddr::V6(address))) => {
                let shift = 128 - u32::from(*bits);
                net.to_bits().checked_shr(shift).unwrap_or(0) == address.to_bits().checked_shr(shift).unwrap_or(0)
            }
            (Self::Domain(name), Err(_)) => {
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::new(&|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn values_are_read_as_curl_reads_them() {
        let proxy = |host: &str, port, user: Option<(&str, &str)>| Proxy {
            host: host.into(),
            port,
            user: user.map(|(user, password)| (user.into(), password.into())),
        };
        for (value, expected) in [
            ("http://proxy.example:3128", proxy("proxy.example", 3128, None)),
            ("proxy.example", proxy("proxy.example", 1080, None)),
            ("http://proxy.example/", proxy("proxy.example", 1080, None)),
            ("http://proxy.example:80/", proxy("proxy.example", 80, None)),
            ("10.0.0.1:8080", proxy("10.0.0.1", 8080, None)),
            ("http://[2001:db8::1]:3128", proxy("2001:db8::1", 3128, None)),
            ("http://me@proxy.example:1", proxy("proxy.example", 1, Some(("me", "")))),
            ("http://me:p%40ss%3a@proxy.example:1", proxy("proxy.example", 1, Some(("me", "p@ss:")))),
        ] {
            assert_eq!(proxies(&[("http_proxy", value)]).of(false), Some(&expected), "{value}");
        }
        assert_eq!(proxies(&[("https_proxy", "a:1"), ("ALL_PROXY", "b:2")]).of(true).unwrap().host, "a");
        assert_eq!(proxies(&[("https_proxy", "a:1"), ("ALL_PROXY", "b:2")]).of(false).unwrap().host, "b");
        assert_eq!(proxies(&[("http_proxy", ""), ("HTTP_PROXY", "c:3")]).of(false).unwrap().host, "c");
    }

    #[test]
    fn what_cannot_be_followed_is_refused_by_name() {
        for (name, value, why) in [
            (
                "all_proxy",
                "socks5://me:secret@proxy.example:1080",
                "the proxy in all_proxy, 'socks5://…@proxy.example:1080', is of the kind socks5",
            ),
            ("https_proxy", "https://proxy.example", "only http:// proxies can be used"),
            (
                "HTTPS_PROXY",
                "http://proxy.example:port",
                "the proxy in HTTPS_PROXY, 'http://proxy.example:port', cannot be read",
            ),
            ("https_proxy", "http://", "cannot be read"),
            ("https_proxy", "http://a b", "cannot be read"),
        ] {
            let error = proxies(&[(name, value)]).used(true, "mirror.example", 443).unwrap_err();
            assert!(error.contains(why) && !error.contains("secret"), "{error}");
        }
        for entry in ["10.0.0.0/99", "example.org/8", "host:port", "a/b", "exa%mple"] {
            let error = proxies(&[("http_proxy", "a:1"), ("no_proxy", entry)]).used(false, "b", 80).unwrap_err();
            assert!(error.contains(&format!("no_proxy has '{entry}'")), "{error}");
        }
        // What is not needed is not judged.
        assert_eq!(proxies(&[("no_proxy", "10.0.0.0/99")]).used(false, "b", 80), Ok(false));
        assert_eq!(proxies(&[("https_proxy", "socks5://x")]).used(false, "b", 80), Ok(false));
        assert_eq!(proxies(&[("https_proxy", "socks5://x"), ("no_proxy", "b")]).used(true, "b", 443), Ok(false));
    }

    #[test]
    fn exceptions_are_those_of_curl() {
        for (except, host, port, direct) in [
            ("example.org", "example.org", 80, true),
            ("example.org", "a.example.org", 80, true),
            (".example.org", "example.org", 80, true),
            ("*.example.org", "a.example.org", 80, true),
            ("example.org", "badexample.org", 80, false),
            ("Example.ORG", "example.org.", 80, true),
            ("a, example.org", "example.org", 80, true),
            ("a example.org", "example.org", 80, true),
            ("*", "anything", 80, true),
            ("example.org:8080", "example.org", 8080, true),
            ("example.org:8080", "example.org", 80, false),
            ("10.0.0.0/8", "10.1.2.3", 80, true),
            ("10.0.0.0/8", "11.1.2.3", 80, false),
            ("0.0.0.0/0", "11.1.2.3", 80, true),
            ("10.0.0.1", "10.0.0.1", 80, true),
            ("10.0.0.1:81", "10.0.0.1", 80, false),
            ("2001:db8::/32", "[2001:db8::1]", 80, true),
            ("[2001:db8::1]", "[2001:db8::1]", 80, true),
            ("[2001:db8::1]:81", "[2001:db8::1]", 80, false),
            ("2001:db8::1", "[2001:db8::2]", 80, false),
            ("0.1", "10.0.0.1", 80, false),
        ] {
            let found = proxies(&[("http_proxy", "p:1"), ("no_proxy", except)]).used(false, host, port);
            assert_eq!(found, Ok(!direct), "{except} {host}:{port}");
        }
    }
}
