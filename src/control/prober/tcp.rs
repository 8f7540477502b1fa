//! A probe that connects, and may send bytes and expect some back.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Asks on an established connection: `send` goes out, and what comes back must begin with `expect`.
///
/// With nothing to expect the connection is enough (and that `send` could be written).
///
/// # Errors
/// Why the answer is wrong.
pub(super) async fn ask(mut stream: TcpStream, send: &[u8], expect: &[u8]) -> Result<(), String> {
    stream.write_all(send).await.map_err(|error| format!("sending failed: {error}"))?;
    let mut reply = vec![0; expect.len()];
    let mut filled = 0;
    while filled < expect.len() {
        let read = stream.read(&mut reply[filled..]).await.map_err(|error| format!("no reply: {error}"))?;
        filled += read;
        if read == 0 {
            return Err(format!("the connection ended after {filled} bytes of reply"));
        }
        if reply[..filled] != expect[..filled] {
            return Err(format!("reply {:?} is not what `expect` says", String::from_utf8_lossy(&reply[..filled])));
        }
    }
    Ok(())
}
