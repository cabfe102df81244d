//! What the servers of this command have in common: they listen on this machine alone, and let in whoever has the token.

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::exit::Failure;

/// How many random bytes a token has.
const TOKEN_BYTES: usize = 32;

/// Refuses an address that others than this machine reach; `example` is what to say instead.
pub fn only_here(address: SocketAddr, example: &str) -> Result<(), Failure> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    let words = format!("{} is no address of this machine alone", address.ip());
    Err(Failure::usage(words).hint(example))
}

/// Listens, and says where.
pub async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let failed = |error: &io::Error| Failure::io(&format!("cannot listen on {address}"), error);
    let listener = TcpListener::bind(address).await.map_err(|error| failed(&error))?;
    let address = listener.local_addr().map_err(|error| failed(&error))?;
    Ok((listener, address))
}

/// The names by which this machine calls itself, with the port.
pub fn hosts(address: SocketAddr) -> [String; 3] {
    ["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{}", address.port()))
}

/// A token that nobody guesses.
///
/// # Errors
/// When the system gives no random bytes.
pub fn new_token() -> io::Result<String> {
    let mut random = [0; TOKEN_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether two texts are the same, in a time that does not tell how far they are.
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differs = one.iter().zip(other).fold(0, |differs, (one, other)| differs | (one ^ other));
    one.len() == other.len() && differs == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_and_no_beginning_of_it() {
        let (made, other) = (new_token().unwrap(), new_token().unwrap());
        assert!(is_same(made.as_bytes(), made.as_bytes()));
        assert!(!is_same(made.as_bytes(), other.as_bytes()));
        assert!(!is_same(made.as_bytes(), &made.as_bytes()[1..]) && !is_same(b"", made.as_bytes()));
    }

    #[test]
    fn what_others_reach_is_refused() {
        assert!(only_here("127.0.0.1:0".parse().unwrap(), "").is_ok());
        assert!(only_here("[::1]:0".parse().unwrap(), "").is_ok());
        assert!(only_here("0.0.0.0:80".parse().unwrap(), "").is_err());
    }
}
