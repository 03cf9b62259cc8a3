package fence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
)

// ForwarderOptions is the wiring of a Forwarder. Nil is all defaults.
type ForwarderOptions struct {
	Logger *slog.Logger
	Dial   func(ctx context.Context, network, addr string) (net.Conn, error) // ends with ctx; nil is a net.Dialer with ten seconds
}

// Forwarder is a gate before a server that knows no tokens, such as a database: clients connect to it, and it carries
// their connections to the member that came with the greatest token. After a restart it carries nothing until a member
// comes with a token that its [Gate] has not refused.
type Forwarder struct {
	gate *Gate
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	log  *slog.Logger

	mu     sync.Mutex
	token  uint64
	addr   string
	cancel context.CancelFunc // ends every connection of the token
	epoch  context.Context
	live   *sync.WaitGroup // the connections of the token
}

// NewForwarder returns a forwarder behind the gate.
func NewForwarder(gate *Gate, o *ForwarderOptions) *Forwarder {
	if o == nil {
		o = &ForwarderOptions{}
	}
	f := &Forwarder{gate: gate, dial: o.Dial, log: o.Logger}
	if f.dial == nil {
		f.dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	return f
}

// Lead makes the member at addr (host:port) the one that clients are carried to. When it returns nil every connection to
// a former one is cut, and what was still in this machine on its way to or from it is dropped (TCP resets): the former has
// no more than had reached its own machine. A token older than the greatest is a [*FencedError]; the same token with another address wraps
// [opsec.ErrInvalid]: no two members have one token.
func (f *Forwarder) Lead(token uint64, addr string) error {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return fmt.Errorf("fence: addr: %w", errors.Join(err, opsec.ErrInvalid))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.gate.Raise(token); err != nil {
		return err
	}
	if token == f.token {
		if addr != f.addr {
			return fmt.Errorf("fence: token %d: %q has come with it, and now %q: %w", token, f.addr, addr, opsec.ErrInvalid)
		}
		return nil
	}
	f.cut()
	f.token, f.addr, f.live = token, addr, &sync.WaitGroup{}
	f.epoch, f.cancel = context.WithCancel(context.Background())
	f.log.Info("primary", "token", token, "addr", addr)
	return nil
}

// cut ends the connections of the present token and waits for it; mu is held.
func (f *Forwarder) cut() {
	if f.cancel != nil {
		f.cancel()
		f.live.Wait()
	}
	f.token, f.addr, f.cancel, f.epoch, f.live = 0, "", nil, nil, nil
}

// Serve carries the connections that l accepts, until ctx ends; then it closes l, cuts all connections, and returns the
// context's error. A connection that comes while there is no primary is closed. A listener that fails, as for want of file
// handles, is tried again for some seconds, unless it is closed.
func (f *Forwarder) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer func() {
		l.Close()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.cut()
	}()
	for failed := 0; ; {
		c, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				c.Close()
			}
			return ctx.Err()
		}
		if err != nil {
			if failed++; failed > 100 || errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("fence: accept: %w", err)
			}
			f.log.Warn("accept", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		failed = 0
		f.mu.Lock()
		// Another gate user may have raised the token without a Lead: then the member known here is a former one.
		if f.epoch == nil || f.gate.Highest() != f.token {
			f.mu.Unlock()
			c.Close()
			continue
		}
		epoch, addr, live := f.epoch, f.addr, f.live
		live.Add(1)
		f.mu.Unlock()
		go func() {
			defer live.Done()
			f.carry(epoch, c, addr)
		}()
	}
}

// carry copies both ways until one side ends or the epoch does.
func (f *Forwarder) carry(epoch context.Context, client net.Conn, addr string) {
	defer client.Close()
	server, err := f.dial(epoch, "tcp", addr)
	if err != nil {
		f.log.Warn("primary cannot be reached", "addr", addr, "error", err)
		return
	}
	defer server.Close()
	stop := context.AfterFunc(epoch, func() { reset(client, server) })
	defer func() {
		if !stop() { // a new epoch, which may not have come to it yet
			reset(client, server)
		}
	}()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{server, client}, {client, server}} {
		both.Go(func() {
			_, err := io.Copy(way[0], way[1])
			if half, ok := way[0].(interface{ CloseWrite() error }); ok && err == nil {
				half.CloseWrite() // the other way may still have something to say
				return
			}
			client.Close()
			server.Close()
		})
	}
	both.Wait()
}

// reset closes connections, and what they have not sent is dropped: closed otherwise, the system would go on to send it to
// a former primary that was stopped, when it wakes up.
func reset(conns ...net.Conn) {
	for _, c := range conns {
		if tcp, ok := c.(interface{ SetLinger(sec int) error }); ok {
			tcp.SetLinger(0)
		}
	}
	for _, c := range conns {
		c.Close()
	}
}
