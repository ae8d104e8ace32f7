//! Where workers are, and where one listens.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::PORT;

/// How many files a worker is given at once where nothing says otherwise: distcc's own default.
const JOBS: u32 = 4;

/// The address of a worker: `HOST[:PORT][/JOBS]`, as distcc(1) writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerAddress {
    host: String,
    port: u16,
    /// How many files the worker is given at once.
    pub jobs: u32,
}

/// The most jobs of one worker: beyond what any machine has processors for.
const MOST_JOBS: u32 = 1024;

/// How many files all of the workers are given at once.
pub fn jobs(workers: &[WorkerAddress]) -> u32 {
    workers.iter().map(|worker| worker.jobs).fold(0, u32::saturating_add)
}

impl WorkerAddress {
    /// The place where the worker listens, as `HOST:PORT`.
    pub fn endpoint(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Display for WorkerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.endpoint(), self.jobs)
    }
}

impl FromStr for WorkerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!("{why}; a worker is HOST[:PORT][/JOBS], such as 10.0.0.5, build2:{PORT}/8 or [fd00::5]:{PORT}")
        };
        let (place, jobs) = match text.split_once('/') {
            Some((place, jobs)) => {
                let jobs: u32 = jobs.parse().map_err(|_| wrong("the jobs are not a number"))?;
                (place, jobs)
            }
            None => (text, JOBS),
        };
        if jobs == 0 {
            return Err(wrong("a worker without jobs compiles nothing"));
        }
        if jobs > MOST_JOBS {
            return Err(wrong(&format!("{jobs} jobs are more than one machine can have: at most {MOST_JOBS}")));
        }
        // An IPv6 address is in brackets, and has colons of its own.
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong("the port is not a number up to 65535"))?)
            }
            _ => (place, PORT),
        };
        let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let valid = match name {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                !host.is_empty()
                    && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
                    && !host.starts_with('-')
            }
        };
        if !valid {
            return Err(wrong("the host is neither a name nor an address"));
        }
        Ok(Self { host: host.to_owned(), port, jobs })
    }
}

/// Where a worker listens: `ADDRESS[:PORT]`, an address of the engine's machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse()
            .or_else(|_| text.parse::<IpAddr>().map(|address| SocketAddr::new(address, PORT)))
            .map(Self)
            .map_err(|_| {
                format!(
                    "an address of this machine with or without a port is wanted, such as 10.0.0.5 or 10.0.0.5:{PORT}"
                )
            })
    }
}

/// The addresses of those who may ask: `ADDRESS/BITS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    address: IpAddr,
    bits: u8,
}

impl fmt::Display for Range {
    /// As socat(1) writes it: `10.0.0.0/24`, `[fd00::]/64`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            IpAddr::V4(address) => write!(f, "{address}/{}", self.bits),
            IpAddr::V6(address) => write!(f, "[{address}]/{}", self.bits),
        }
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a range of addresses is wanted, such as 10.0.0.0/24 or fd00::/64".to_owned();
        let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits: u8 = bits.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        if bits > most { Err(wrong()) } else { Ok(Self { address, bits }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let parse = |text: &str| text.parse::<WorkerAddress>().map(|worker| worker.to_string());
        for (text, meant) in [
            ("build2", "build2:3632/4"),
            ("10.0.0.5/8", "10.0.0.5:3632/8"),
            ("build2.example.org:4000/2", "build2.example.org:4000/2"),
            ("[fd00::5]", "[fd00::5]:3632/4"),
            ("[fd00::5]:4000/1", "[fd00::5]:4000/1"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(meant));
        }
        for text in ["", "a/0", "a/x", "a:70000", "fd00::5", "[fd00::zz]", "a b", "$(id)", "-n", "a,exec", "a:1:2"] {
            let error = parse(text).unwrap_err();
            assert!(error.contains("HOST[:PORT][/JOBS]"), "{text}: {error}");
        }
    }

    #[test]
    fn who_may_ask() {
        let parse = |text: &str| text.parse::<Range>().map(|range| range.to_string());
        assert_eq!(parse("10.0.0.0/24").as_deref(), Ok("10.0.0.0/24"));
        assert_eq!(parse("fd00::/64").as_deref(), Ok("[fd00::]/64"));
        for text in ["10.0.0.0", "10.0.0.0/33", "a/8", "10.0.0.0/8,exec"] {
            assert!(parse(text).unwrap_err().contains("10.0.0.0/24"), "{text}");
        }
    }

    #[test]
    fn where_to_listen() {
        let parse = |text: &str| text.parse::<Listen>().map(|listen| listen.0.to_string());
        assert_eq!(parse("10.0.0.5").as_deref(), Ok("10.0.0.5:3632"));
        assert_eq!(parse("[::1]:9").as_deref(), Ok("[::1]:9"));
        assert!(parse("build2").unwrap_err().contains("10.0.0.5:3632"));
    }
}
