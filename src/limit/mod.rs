//! stub
use ipnet::IpNet;
use std::net::IpAddr;
/// stub
#[derive(Debug)]
pub struct PrefixSet(Vec<IpNet>);
impl PrefixSet {
    /// stub
    #[must_use]
    pub fn new(p: &[IpNet]) -> Self {
        Self(p.to_vec())
    }
    /// stub
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|n| n.contains(&ip))
    }
}
/// stub
#[derive(Debug)]
pub struct Access(PrefixSet, PrefixSet);
impl Access {
    /// stub
    #[must_use]
    pub fn new(a: &[IpNet], d: &[IpNet]) -> Self {
        Self(PrefixSet::new(a), PrefixSet::new(d))
    }
    /// stub
    #[must_use]
    pub fn admits(&self, ip: IpAddr) -> bool {
        !self.1.contains(ip) && (self.0.0.is_empty() || self.0.contains(ip))
    }
}
