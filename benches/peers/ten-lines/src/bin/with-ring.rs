use jwt_bearer::{Audience, Endpoint, Error, Profile, RingRsaKey, TokenSource};

fn main() -> Result<(), Error> {
    let [_, key, url] = std::env::args().collect::<Vec<_>>().try_into().unwrap();
    let key = RingRsaKey::from_pem(std::fs::read(key).unwrap())?;
    let endpoint = Endpoint::token(url).unwrap();
    let profile = Profile::client_credentials(endpoint, "client-1", Audience::TokenEndpoint);
    println!("{}", TokenSource::new(profile, key)?.token()?.secret());
    Ok(())
}
