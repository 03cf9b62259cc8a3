package export

import (
	"context"
	"crypto/tls"
	"time"
)

// SenderOptions is the wiring of a [Sender].
type SenderOptions struct {
	Timeout time.Duration // of a handshake, a write without progress, a confirmation; 0 is 10 s
	Window  int           // bytes sent and not yet confirmed; 0 is 1 MiB
}

// Sender sends messages to a syslog collector over TLS (RFC 5425). One goroutine uses it at a time.
type Sender struct{}

// NewSender returns a Sender to the collector at addr, "host:port", port 6514 by RFC 5425. It connects at the first
// Send. The config names the roots and the client certificate.
func NewSender(addr string, config *tls.Config, o *SenderOptions) (*Sender, error) { return nil, nil }

// Send sends one message, and waits while the collector is slow or away, until ctx ends.
func (s *Sender) Send(ctx context.Context, message []byte) error { return nil }

// Flush returns nil when the collector has read all that was sent.
func (s *Sender) Flush(ctx context.Context) error { return nil }

// Close closes the connection. What was not flushed is not confirmed.
func (s *Sender) Close() error { return nil }
