//! Removes illegal lines from the head of a response.
//!
//! Servers send a space before a colon, a PHP warning, or a folded line (RFC 9112 §5). ureq's parser then refuses the
//! whole response, and has no switch for it.

use std::{fmt, mem};

use ureq::Error;
use ureq::unversioned::transport::{Buffers, NextTimeout, Transport as Connection};
use zeroize::Zeroizing;

/// Every response head begins like this. The records of a TLS connection through a proxy do not.
const PREFIX: &[u8] = b"HTTP/";

/// A connection that drops illegal lines of response heads.
pub(super) struct HeaderLines {
    inner: Box<dyn Connection>,
    /// The longest head that is waited for, in bytes.
    max_head: usize,
    expects_head: bool,
    /// A head that is not complete, or what follows an interim response. It is empty unless a head is expected.
    incomplete: Zeroizing<Vec<u8>>,
    /// What ureq may see as soon as its buffer has space.
    ready: Zeroizing<Vec<u8>>,
}

impl HeaderLines {
    pub(super) fn new(inner: Box<dyn Connection>, max_head: usize) -> Self {
        Self {
            inner,
            max_head,
            expects_head: false,
            incomplete: Zeroizing::default(),
            ready: Zeroizing::default(),
        }
    }

    /// Takes all input away from ureq, which would refuse even a part of an illegal line.
    fn withhold(&mut self) {
        let buffers = self.inner.buffers();
        let input = buffers.input();
        let count = input.len();
        // A vector that grows would leave parts of a token in freed memory.
        self.incomplete = Zeroizing::new([&self.incomplete, input].concat());
        buffers.input_consume(count);
    }

    /// Gives ureq as much of the ready input as its buffer has space for; returns whether it gave any.
    fn release(&mut self) -> bool {
        let free = self.inner.buffers().input_append_buf();
        let count = free.len().min(self.ready.len());
        for (to, from) in free.iter_mut().zip(self.ready.drain(..count)) {
            *to = from;
        }
        self.inner.buffers().input_appended(count);
        count > 0
    }

    /// Looks for a complete head, and makes it ready without its illegal lines.
    fn find_head(&mut self) {
        // Before a head, empty lines are ignored (RFC 9112 §2.2).
        let is_line_end = |b: &&u8| matches!(b, b'\r' | b'\n');
        let empty = self.incomplete.iter().take_while(is_line_end).count();
        let text = self.incomplete.get(empty..).unwrap_or_default();
        let length = text.len().min(PREFIX.len());
        let is_head = text.get(..length) == PREFIX.get(..length);
        match is_head.then(|| drop_illegal_lines(text)).flatten() {
            // Further heads follow an interim response. It is passed on at once, since a client may wait for it.
            Some((mut text, end)) if is_interim(&text) => {
                self.incomplete = text.split_off(end).into();
                self.ready = text;
            }
            Some((text, _)) => {
                self.incomplete = text;
                self.release_all();
            }
            None if is_head && self.incomplete.len() <= self.max_head => {}
            None => self.release_all(),
        }
    }

    /// Makes everything ready: no head is expected any more.
    fn release_all(&mut self) {
        self.expects_head = false;
        self.ready = mem::take(&mut self.incomplete);
    }
}

/// Drops the illegal lines of a head. Returns the text and the end of the head, or `None` if the head is not complete.
fn drop_illegal_lines(text: &[u8]) -> Option<(Zeroizing<Vec<u8>>, usize)> {
    let mut legal = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut end = None;
    for (n, line) in text.split_inclusive(|b| *b == b'\n').enumerate() {
        if end.is_some() || n == 0 || is_legal(line) {
            legal.extend_from_slice(line);
        }
        if is_blank(line) {
            end = end.or(Some(legal.len()));
        }
    }
    end.map(|end| (legal, end))
}

impl Connection for HeaderLines {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.expects_head = true;
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        if self.ready.is_empty() && !self.incomplete.is_empty() {
            self.find_head(); // after an interim response
        }
        if !self.ready.is_empty() {
            // `false` if there is no space for any of it: ureq would otherwise ask again without a pause until its
            // timeout.
            return Ok(self.release());
        }
        let has_input = self.inner.await_input(timeout)?;
        if self.expects_head {
            self.withhold();
            match has_input {
                true => self.find_head(),
                false => self.release_all(),
            }
            self.release();
        }
        Ok(has_input)
    }

    fn is_open(&mut self) -> bool {
        self.ready.is_empty() && self.incomplete.is_empty() && self.inner.is_open()
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

/// Returns whether a head is that of an interim response (RFC 9110 §15.2), which another head follows.
///
/// After a change of protocol no head follows.
fn is_interim(head: &[u8]) -> bool {
    let status = head.split(|b| *b == b' ').nth(1).unwrap_or_default();
    status.starts_with(b"1") && !status.starts_with(b"101")
}

fn is_blank(line: &[u8]) -> bool {
    matches!(line, b"\r\n" | b"\n")
}

/// Shows the connection, but none of its text.
impl fmt::Debug for HeaderLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
