//! The HTTP agents of the command line: one through the environment's proxy, one without it.

use std::io;
use std::time::Duration;

use http::Uri;
use jwt_bearer::{Request, Response, Transport};
use ureq::tls::TlsConfig;
use ureq::{Agent, Proxy, ProxyProtocol};

use crate::args::CommonOptions;
use crate::output::Failure;
use crate::proxy::EnvironmentProxy;
use crate::roots;

/// Sends each request by the agent that its host asks for.
pub(crate) struct ProxyingAgent {
    direct: Agent,
    proxied: Option<(Agent, EnvironmentProxy)>,
}

impl ProxyingAgent {
    /// Creates the agents by the options and the environment.
    ///
    /// # Errors
    /// Where a proxy variable or a file with certificates is unusable.
    pub(crate) fn new(options: &CommonOptions) -> Result<Self, Failure> {
        let roots = roots::build(options.system_roots, options.ca.as_deref())?;
        let tls = TlsConfig::builder().root_certs(roots).build();
        let agent = |proxy: Option<Proxy>| {
            let protocol = proxy.as_ref().map(Proxy::protocol);
            let config = Agent::config_builder()
                .proxy(proxy)
                .tls_config(tls.clone())
                .build();
            match protocol {
                None | Some(ProxyProtocol::Http | ProxyProtocol::Https) => {
                    jwt_bearer::agent(config)
                }
                Some(_) => jwt_bearer::agent_with_socks(config),
            }
        };
        let proxied = EnvironmentProxy::from_env()?;
        Ok(Self {
            proxied: proxied.map(|from_env| (agent(Some(from_env.proxy.clone())), from_env)),
            direct: agent(None),
        })
    }
}

impl Transport for ProxyingAgent {
    fn send(&self, request: &Request, timeout: Duration) -> io::Result<Response> {
        let uri: Uri = request.url().parse().map_err(io::Error::other)?;
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(443); // plain http never goes through a proxy
        match &self.proxied {
            Some((agent, proxy)) if proxy.applies_to(host, port) => agent.send(request, timeout),
            _ => self.direct.send(request, timeout),
        }
    }
}
