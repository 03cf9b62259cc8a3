package export

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"
)

// SenderOptions is the wiring of a [Sender].
type SenderOptions struct {
	Timeout time.Duration // of a handshake, of a write that makes no progress, of a confirmation; 0 means 10 s
	Window  int           // bytes held until they are confirmed; 0 means 1 MiB. A longer message goes alone
	Logger  *slog.Logger  // told of each attempt that failed; nil for none

	// InsecureBareClose takes the end of the TCP connection for a confirmation, without TLS's close_notify, which
	// RFC 5425, section 4.4, asks of the collector. Whoever can write to the network can then make the Sender drop
	// messages that the collector has not got. Some collectors, such as rsyslog with its gtls driver, need it.
	InsecureBareClose bool
}

// Sender sends messages to a syslog collector over TLS (RFC 5425), each at least once and in their order. It holds what
// it has sent until [Sender.Flush] has made sure that the collector read it, and sends it again over the next
// connection otherwise; an index in a message tells a repetition. One goroutine at a time uses it.
type Sender struct {
	addr   string
	config *tls.Config
	o      SenderOptions

	conn    *tls.Conn // nil for none
	held    []byte    // frames not confirmed yet
	written int       // bytes of held that conn has taken
}

// NewSender returns a Sender to the collector at addr, "host:port"; the port of RFC 5425 is 6514. It connects at the
// first Send. The config holds the roots that the collector's certificate is verified by, the server's name if it is
// not the host of addr, and the client certificate. No session is resumed unless it has a ClientSessionCache: collectors
// on OpenSSL may refuse that where clients have certificates. An error wraps [opsec.ErrInvalid]: a config that verifies
// nothing is refused.
func NewSender(addr string, config *tls.Config, o *SenderOptions) (*Sender, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return nil, invalid("sender: address of %d bytes: want host:port", len(addr))
	}
	s := &Sender{addr: addr, config: config.Clone(), o: *cmp.Or(o, &SenderOptions{})}
	if s.config == nil {
		s.config = &tls.Config{}
	}
	if s.config.InsecureSkipVerify && s.config.VerifyConnection == nil && s.config.VerifyPeerCertificate == nil {
		return nil, invalid("sender: config: verifies nobody")
	}
	if s.o.Timeout < 0 || s.o.Window < 0 {
		return nil, invalid("sender: timeout, window: want 0 or more")
	}
	s.config.ServerName = cmp.Or(s.config.ServerName, host)
	s.o.Timeout, s.o.Window = cmp.Or(s.o.Timeout, 10*time.Second), cmp.Or(s.o.Window, 1<<20)
	return s, nil
}

// Send hands messages, each of RFC 5424 and [MaxLine] bytes at most, to the connection. It waits while the collector
// takes nothing or is away, and when the window is full for a confirmation, and gives up when ctx ends. Nil means sent,
// not received: that is what a nil of [Sender.Flush] means. After an error some of the messages may arrive; the caller
// sends all of them again.
func (s *Sender) Send(ctx context.Context, messages ...[]byte) error {
	for _, m := range messages {
		if len(m) == 0 || len(m) > MaxLine {
			return invalid("message of %d bytes: want 1 to %d", len(m), MaxLine)
		}
	}
	if len(messages) == 0 {
		return ctx.Err()
	}
	before := len(s.held)
	for len(messages) > 0 {
		for len(messages) > 0 && (len(s.held) == 0 || len(s.held)+len(messages[0])+8 <= s.o.Window) {
			s.held = append(strconv.AppendInt(s.held, int64(len(messages[0])), 10), ' ') // octet counting, section 4.3
			s.held = append(s.held, messages[0]...)
			messages = messages[1:]
		}
		if len(messages) > 0 {
			if err := s.Flush(ctx); err != nil {
				s.forget(before)
				return err
			}
			before = 0
		}
	}
	err := s.attempt(ctx, s.push)
	if err != nil {
		s.forget(before)
	}
	return err
}

// Flush returns nil when the collector has read all that was sent. For that it ends the connection in the order of
// RFC 5425, section 4.4, and waits for the collector to do the same, which it does after what was sent before. The next
// Send connects anew. Call it after each batch, and when there is nothing more to send for now. After an error the
// messages are still held, and a later Flush tries again.
func (s *Sender) Flush(ctx context.Context) error {
	if len(s.held) == 0 {
		return ctx.Err()
	}
	return s.attempt(ctx, func(ctx context.Context) error {
		if err := s.push(ctx); err != nil {
			return err
		}
		return s.confirm(ctx)
	})
}

// Close drops the connection, and what is held with it.
func (s *Sender) Close() error {
	s.forget(0)
	return nil
}

// forget cuts off what is held from n on, and the connection, which may have got a part of it.
func (s *Sender) forget(n int) {
	s.held = s.held[:n]
	s.drop()
}

func (s *Sender) drop() {
	if s.conn != nil {
		s.conn.NetConn().Close() // no close_notify: that would say that all is well
		s.conn = nil
	}
}

// attempt calls do until it succeeds or ctx ends.
func (s *Sender) attempt(ctx context.Context, do func(context.Context) error) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := do(ctx)
		if err == nil {
			return nil
		}
		s.drop()
		if s.o.Logger != nil {
			s.o.Logger.WarnContext(ctx, "export: syslog collector", "addr", s.addr, "held", len(s.held), "error", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("export: collector %s: %w: %w", s.addr, ctx.Err(), err)
		}
	}
}

// push connects if need be, and writes what is held and not written.
func (s *Sender) push(ctx context.Context) error {
	if s.conn == nil {
		dialing, cancel := context.WithTimeout(ctx, s.o.Timeout)
		defer cancel()
		conn, err := new(net.Dialer).DialContext(dialing, "tcp", s.addr)
		if err != nil {
			return err
		}
		s.conn, s.written = tls.Client(candid{conn.(*net.TCPConn)}, s.config), 0
		if err := s.conn.HandshakeContext(dialing); err != nil {
			return err
		}
	}
	defer s.watch(ctx)()
	for s.written < len(s.held) {
		if err := s.extend(ctx); err != nil {
			return err
		}
		n, err := s.conn.Write(s.held[s.written:min(len(s.held), s.written+64<<10)])
		s.written += n
		if err != nil {
			return errors.Join(err, s.ended())
		}
	}
	return nil
}

// confirm ends the connection and reads to its end.
func (s *Sender) confirm(ctx context.Context) error {
	defer s.watch(ctx)()
	// A collector that refuses us, or has gone, has ended the connection before: a round trip shows it.
	tcp := s.conn.NetConn().(candid).TCPConn
	err := acknowledged(ctx, tcp, s.o.Timeout)
	if err = errors.Join(err, s.ended()); err != nil {
		return fmt.Errorf("not confirmed: ended by the collector: %w", err)
	}
	if err := s.extend(ctx); err != nil {
		return err
	}
	if err := s.conn.CloseWrite(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, s.conn) // nil at a close_notify
	if err != nil && !(s.o.InsecureBareClose && errors.Is(err, errBareClose)) {
		return fmt.Errorf("not confirmed: %w", err)
	}
	// A collector that was going down may have said goodbye before it had all: then its TCP has not acknowledged all,
	// or resets the connection.
	if err := tcp.CloseWrite(); err != nil {
		return fmt.Errorf("not confirmed: %w", err)
	}
	if _, err := io.Copy(io.Discard, tcp); err != nil {
		return fmt.Errorf("not confirmed: %w", err)
	}
	if err := acknowledged(ctx, tcp, s.o.Timeout); err != nil {
		return fmt.Errorf("not confirmed: %w", err)
	}
	s.forget(0)
	return nil
}

// ended returns how the collector has ended the connection, an alert perhaps, and nil if it has not.
func (s *Sender) ended() error {
	s.conn.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
	if _, err := s.conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil
}

// extend gives the connection another Timeout.
func (s *Sender) extend(ctx context.Context) error {
	if err := s.conn.SetDeadline(time.Now().Add(s.o.Timeout)); err != nil {
		return err
	}
	return ctx.Err() // after the deadline was set, so that watch has the last word
}

// watch stops the connection when ctx ends, until the function returned is called.
func (s *Sender) watch(ctx context.Context) func() bool {
	conn := s.conn
	return context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
}

var errBareClose = errors.New("connection ended without close_notify")

// candid is a connection that tells its end from a close_notify, which [tls.Conn] does not.
type candid struct{ *net.TCPConn }

func (c candid) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if err == io.EOF {
		err = errBareClose
	}
	return n, err
}
