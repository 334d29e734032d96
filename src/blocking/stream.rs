//! What the blocking adapter wants of a stream beyond `Read` and `Write`.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// A stream for the blocking adapter: `Read + Write`, and as much of the rest as it can do.
///
/// Sockets can do all of it. For any other type `impl Stream for MyStream {}` will do, or wrap it
/// in [`Plain`].
///
/// ```
/// use std::io::{Read, Result, Write};
/// use sotong::blocking::{Plain, Stream};
///
/// struct Pipe<R, W>(R, W);
///
/// impl<R: Read, W> Read for Pipe<R, W> {
///     fn read(&mut self, buf: &mut [u8]) -> Result<usize> { self.0.read(buf) }
/// }
/// impl<R, W: Write> Write for Pipe<R, W> {
///     fn write(&mut self, buf: &[u8]) -> Result<usize> { self.1.write(buf) }
///     fn flush(&mut self) -> Result<()> { self.1.flush() }
/// }
/// impl<R: Read, W: Write> Stream for Pipe<R, W> {}
///
/// let pipe = Pipe(std::io::stdin(), std::io::stdout()); // for `accept`, `connect_over`
/// # fn takes(_: impl Stream) {}
/// # takes(pipe);
/// let same = Plain(Pipe(std::io::stdin(), std::io::stdout()));
/// # takes(same);
/// ```
///
/// What is `Interrupted` is tried again; so is what pauses, on a stream that does
/// ([`prepare`](Self::prepare)).
pub trait Stream: Read + Write {
    /// Makes the stream ready, once, before anything is read or written: from now on every read and
    /// write gives up after `tick` with `WouldBlock` or `TimedOut`, so that deadlines can be
    /// looked at; flushing and shutting down may. `false` if it does not.
    ///
    /// For an example see [`TryClone`].
    ///
    /// # Errors
    ///
    /// The stream failed.
    fn prepare(&mut self, tick: Option<Duration>) -> io::Result<bool> {
        let _ = tick;
        Ok(false)
    }

    /// Whether the stream writes several slices at once. To one that does not, a frame is written from
    /// one place, so that over TLS it makes one record.
    ///
    /// For an example see [`TryClone`].
    fn takes_slices(&self) -> bool {
        false
    }

    /// Shuts the writing direction down, which only a server asks for: the peer sees the end of the
    /// stream, and may go on sending. `false` if the stream cannot; then it is dropped without
    /// waiting for what the peer still sends.
    ///
    /// For an example see [`TryClone`].
    ///
    /// # Errors
    ///
    /// The stream failed, or had ended before.
    fn shut_down(&mut self) -> io::Result<bool> {
        Ok(false)
    }
}

/// A stream that two threads can use at the same time through two handles.
///
/// That is what [`WebSocket::split`](super::WebSocket::split) wants. For a type whose handles share
/// an `Arc` it is a clone; a stream over a socket hands on all that this can do:
///
/// ```
/// use std::io::{IoSlice, Read, Result, Write};
/// use std::net::TcpStream;
/// use std::time::Duration;
/// use sotong::blocking::{Stream, TryClone};
///
/// /// A socket whose bytes somebody looks at.
/// struct Watched(TcpStream);
///
/// impl Stream for Watched {
///     fn prepare(&mut self, tick: Option<Duration>) -> Result<bool> { self.0.prepare(tick) }
///     fn takes_slices(&self) -> bool { self.0.takes_slices() } // for `write_vectored`
///     fn shut_down(&mut self) -> Result<bool> { self.0.shut_down() }
/// }
/// impl TryClone for Watched {
///     fn try_clone(&self) -> Result<Self> { self.0.try_clone().map(Self) }
/// }
/// # impl Read for Watched {
/// #     fn read(&mut self, buf: &mut [u8]) -> Result<usize> { self.0.read(buf) }
/// # }
/// # impl Write for Watched {
/// #     fn write(&mut self, buf: &[u8]) -> Result<usize> { self.0.write(buf) }
/// #     fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<usize> {
/// #         self.0.write_vectored(bufs)
/// #     }
/// #     fn flush(&mut self) -> Result<()> { self.0.flush() }
/// # }
/// # use sotong::{Config, blocking, handshake::client::Request};
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let stream = Watched(TcpStream::connect(listener.local_addr()?)?);
/// # let server = std::thread::spawn(move || {
/// #     let ws = blocking::accept(Watched(listener.accept()?.0), Config::default())?;
/// #     let (mut receiver, mut sender) = ws.split()?;
/// #     sender.send_close(None)?;
/// #     while receiver.recv()?.is_some() {}
/// #     Ok::<(), sotong::Error>(())
/// # });
/// # let (mut ws, _) = blocking::connect_over(stream, &Request::default(), Config::default())?;
/// # while ws.recv()?.is_some() {}
/// # drop(ws);
/// # server.join().unwrap()?;
/// # Ok::<(), sotong::Error>(())
/// ```
pub trait TryClone: Stream + Sized {
    /// Another handle of the same stream.
    ///
    /// For an example see [`TryClone`](Self).
    ///
    /// # Errors
    ///
    /// The system has none left.
    fn try_clone(&self) -> io::Result<Self>;
}

/// `TCP_NODELAY` is set: a small frame must not wait for the acknowledgement of the one before.
impl Stream for TcpStream {
    fn prepare(&mut self, tick: Option<Duration>) -> io::Result<bool> {
        self.set_nodelay(true)?;
        self.set_read_timeout(tick)?;
        self.set_write_timeout(tick)?;
        Ok(tick.is_some())
    }

    fn takes_slices(&self) -> bool {
        true
    }

    fn shut_down(&mut self) -> io::Result<bool> {
        self.shutdown(Shutdown::Write).map(|()| true)
    }
}

impl TryClone for TcpStream {
    fn try_clone(&self) -> io::Result<Self> {
        self.try_clone()
    }
}

#[cfg(unix)]
mod unix {
    use super::{Duration, Shutdown, Stream, TryClone, io};
    use std::os::unix::net::UnixStream;

    impl Stream for UnixStream {
        fn prepare(&mut self, tick: Option<Duration>) -> io::Result<bool> {
            self.set_read_timeout(tick)?;
            self.set_write_timeout(tick)?;
            Ok(tick.is_some())
        }

        fn takes_slices(&self) -> bool {
            true
        }

        fn shut_down(&mut self) -> io::Result<bool> {
            self.shutdown(Shutdown::Write).map(|()| true)
        }
    }

    impl TryClone for UnixStream {
        fn try_clone(&self) -> io::Result<Self> {
            self.try_clone()
        }
    }
}

/// Any `Read + Write` as a [`Stream`], without deadlines within a read or a write.
///
/// For an example see [`Stream`].
#[derive(Clone, Copy, Debug)]
pub struct Plain<S>(pub S);

impl<S: Read + Write> Stream for Plain<S> {}

impl<S: Read> Read for Plain<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl<S: Write> Write for Plain<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
