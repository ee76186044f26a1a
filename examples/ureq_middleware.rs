//! An agent whose middleware adds the `Authorization` header, to requests to one origin only.
//!
//! ```sh
//! cargo run --example ureq_middleware
//! ```
//!
//! The origin is compared before the header is added. Redirects are switched off, because ureq follows them after
//! the middleware ran, without asking it again.

use std::sync::Arc;

use jwt_bearer::{Audience, Endpoint, HmacKey, Profile, TokenSource};
use ureq::http::{HeaderValue, Request, Response};
use ureq::middleware::{Middleware, MiddlewareNext};
use ureq::{Agent, Body, Error, SendBody};

struct Bearer {
    source: Arc<TokenSource>,
    host: &'static str,
}

impl Middleware for Bearer {
    fn handle(
        &self,
        mut request: Request<SendBody<'_>>,
        next: MiddlewareNext<'_>,
    ) -> Result<Response<Body>, Error> {
        let uri = request.uri();
        if uri.scheme_str() == Some("https") && uri.authority().is_some_and(|a| a == self.host) {
            let token = self.source.token().map_err(|e| Error::Other(e.into()))?;
            let mut value =
                HeaderValue::from_str(token.authorization()).map_err(|e| Error::Http(e.into()))?;
            value.set_sensitive(true);
            request.headers_mut().insert("Authorization", value);
        }
        next.handle(request)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let endpoint = Endpoint::token("https://as.example.invalid/token")?;
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    let key = HmacKey::new("a secret of at least thirty-two bytes")?;
    let bearer = Bearer {
        source: Arc::new(TokenSource::new(profile, key)?),
        host: "api.example.invalid",
    };
    let config = Agent::config_builder().middleware(bearer).max_redirects(0);
    let agent: Agent = config.build().into();

    // Neither host exists: the error shows that the middleware asked for a token first.
    match agent.get("https://api.example.invalid/things").call() {
        Err(Error::Other(no_token)) => println!("no token: {no_token}"),
        other => println!("{other:?}"),
    }
    Ok(())
}
