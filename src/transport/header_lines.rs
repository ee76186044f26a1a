//! A response head to the same head without the lines that no rule allows.
//!
//! Servers send a space before a colon, a warning of PHP, or a folded line (RFC 9112 §5). ureq's
//! parser then refuses the whole response, and has no switch for it.

use std::fmt;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport};
use zeroize::Zeroizing;

/// Every response head begins so. The records of a TLS connection through a proxy do not.
const PREFIX: &[u8] = b"HTTP/";

/// A connection that drops illegal lines of response heads.
pub(super) struct HeaderLines {
    inner: Box<dyn Transport>,
    /// The longest head that is waited for, in bytes.
    max_head: usize,
    expects_head: bool,
    /// Input that ureq does not see yet: an incomplete head, or what its buffer had no room for.
    withheld: Zeroizing<Vec<u8>>,
}

impl HeaderLines {
    pub(super) fn new(inner: Box<dyn Transport>, max_head: usize) -> Self {
        Self {
            inner,
            max_head,
            expects_head: false,
            withheld: Zeroizing::default(),
        }
    }

    /// Takes all input away from ureq, which would refuse a part of an illegal line too.
    fn withhold(&mut self) {
        let buffers = self.inner.buffers();
        let input = buffers.input();
        let count = input.len();
        // A vector that grows would leave parts of a token in freed memory.
        self.withheld = Zeroizing::new([&self.withheld, input].concat());
        buffers.input_consume(count);
    }

    /// Gives ureq as much of the input as its buffer has room for.
    fn release(&mut self) {
        let room = self.inner.buffers().input_append_buf();
        let count = room.len().min(self.withheld.len());
        let (now, later) = self.withheld.split_at(count);
        for (to, from) in room.iter_mut().zip(now) {
            *to = *from;
        }
        self.withheld = Zeroizing::new(later.to_vec());
        self.inner.buffers().input_appended(count);
    }

    /// Drops the illegal lines of a complete head. Returns whether more input has to come first.
    fn needs_more_input(&mut self) -> bool {
        let length = self.withheld.len().min(PREFIX.len());
        let is_head = self.withheld.get(..length) == PREFIX.get(..length);
        is_head && !self.drop_illegal_lines() && self.withheld.len() <= self.max_head
    }

    /// Drops the illegal lines of a complete head; returns whether the head is complete.
    fn drop_illegal_lines(&mut self) -> bool {
        let mut legal = Zeroizing::new(Vec::with_capacity(self.withheld.len()));
        let mut in_head = true;
        for (n, line) in self.withheld.split_inclusive(|b| *b == b'\n').enumerate() {
            if !in_head || n == 0 || is_legal(line) {
                legal.extend_from_slice(line);
            }
            in_head &= !is_blank(line);
        }
        if !in_head {
            self.withheld = legal;
        }
        !in_head
    }
}

impl Transport for HeaderLines {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.expects_head = true;
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        if !self.expects_head && !self.withheld.is_empty() {
            self.release();
            return Ok(true);
        }
        let has_input = self.inner.await_input(timeout)?;
        if self.expects_head {
            self.withhold();
            self.expects_head = has_input && self.needs_more_input();
            if !self.expects_head {
                self.release();
            }
        }
        Ok(has_input)
    }

    fn is_open(&mut self) -> bool {
        self.withheld.is_empty() && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Returns whether a line is a header field (RFC 9110 §5) or ends the head.
fn is_legal(line: &[u8]) -> bool {
    let colon = line.iter().position(|b| *b == b':');
    let Some((name, value)) = colon.and_then(|colon| line.split_at_checked(colon)) else {
        return is_blank(line);
    };
    let is_token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    let is_text = |b: &u8| matches!(b, b'\t' | b' '..=b'~' | 0x80..);
    let value = value.trim_ascii_end();
    !name.is_empty() && name.iter().all(is_token) && value.iter().all(is_text)
}

fn is_blank(line: &[u8]) -> bool {
    matches!(line, b"\r\n" | b"\n")
}

/// Shows the connection and none of its text.
impl fmt::Debug for HeaderLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
