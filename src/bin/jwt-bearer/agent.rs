//! The HTTP agents of the command line: one through the environment's proxy, one without it.

use std::io;
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use jwt_bearer::{Error, Profile, Request, Response, Transport};
use ureq::{Agent, Proxy};

use crate::failure::Failure;
use crate::options::CommonOptions;
use crate::proxy::EnvironmentProxy;
use crate::roots::Roots;
use crate::tls::TlsConnector;

/// Sends each request through the agent that its host needs.
pub(crate) struct ProxyingAgent {
    direct: Agent,
    /// The agent of the proxy, or why the environment names no usable one.
    proxied: Option<(Result<Agent, String>, EnvironmentProxy)>,
}

impl ProxyingAgent {
    /// Creates the agents from the options and the environment.
    ///
    /// # Errors
    /// If a file with certificates, or a proxy variable that the first request needs, is unusable.
    pub(crate) fn new(options: &CommonOptions, profile: &Profile) -> Result<Self, Failure> {
        let tls = TlsConnector::new(Roots::from_options(options));
        let from_env = EnvironmentProxy::from_env();
        let first = first_uri(profile)?;
        if let Some((from_env, Err(message))) = from_env.as_ref().map(|e| (e, &e.proxy)) {
            // As with curl, a host that is reached without a proxy does not need a working one.
            if first.as_ref().is_none_or(|uri| from_env.applies_to(uri)) {
                return Err(Failure::config(message));
            }
        }
        // Reading hundreds of certificates takes longer than a request to this machine.
        let is_plain = first.is_some_and(|uri| uri.scheme() == Some(&Scheme::HTTP));
        if !is_plain || options.ca.is_some() {
            tls.prepare()?;
        }
        Ok(Self::with(&tls, from_env))
    }

    /// Creates the agents. A proxy variable that is unusable fails the requests that need it.
    pub(crate) fn with(tls: &TlsConnector, from_env: Option<EnvironmentProxy>) -> Self {
        let agent = |proxy: Option<Proxy>| {
            let config = Agent::config_builder().proxy(proxy).build();
            jwt_bearer::agent_with_connector(config, tls.with_proxies())
        };
        Self {
            proxied: from_env.map(|from_env| {
                let proxy = from_env.proxy.clone();
                (proxy.map(|proxy| agent(Some(proxy))), from_env)
            }),
            direct: agent(None),
        }
    }
}

impl ProxyingAgent {
    /// Returns host and port of the proxy that requests to this URL go through.
    pub(crate) fn proxy_of(&self, url: &str) -> Option<String> {
        let (_, from_env) = self.proxied.as_ref()?;
        let proxy = from_env.proxy.as_ref().ok()?;
        let is_used = from_env.applies_to(&url.parse().ok()?);
        is_used.then(|| format!("{}:{}", proxy.host(), proxy.port()))
    }
}

/// Returns the URL of a profile's first request, if there is one.
fn first_uri(profile: &Profile) -> Result<Option<Uri>, Error> {
    let requests = profile.metadata_requests()?;
    let metadata = requests.first().map(Request::url);
    let url = metadata.or_else(|| profile.endpoint().token_url());
    Ok(url.and_then(|url| url.parse().ok()))
}

impl Transport for ProxyingAgent {
    fn send(&self, request: &Request, timeout: Duration) -> io::Result<Response> {
        let uri: Uri = request.url().parse().map_err(io::Error::other)?;
        match &self.proxied {
            Some((agent, proxy)) if proxy.applies_to(&uri) => match agent {
                Ok(agent) => agent.send(request, timeout),
                Err(message) => Err(io::Error::new(io::ErrorKind::InvalidInput, message.clone())),
            },
            _ => self.direct.send(request, timeout),
        }
    }
}
