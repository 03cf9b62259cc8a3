package export_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/export"
)

// patient bounds what should not take long.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func sender(t testing.TB, addr string, config *tls.Config, o *export.SenderOptions) *export.Sender {
	t.Helper()
	s, err := export.NewSender(addr, config, o)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func numbered(from, to int) (list []string) {
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprintf("<13>1 - - - - - - message %d of a test", i))
	}
	return list
}

func bytesOf(list []string) (messages [][]byte) {
	for _, m := range list {
		messages = append(messages, []byte(m))
	}
	return messages
}

// once drops what has come before.
func once(list []string) (first []string) {
	seen := map[string]bool{}
	for _, m := range list {
		if !seen[m] {
			seen[m] = true
			first = append(first, m)
		}
	}
	return first
}

func TestSenderIsRefusedWhatIsNotSafe(t *testing.T) {
	for _, c := range []struct {
		addr   string
		config *tls.Config
		o      *export.SenderOptions
		want   string
	}{
		{"host", nil, nil, "host:port"},
		{":6514", nil, nil, "host:port"},
		{"host:6514", &tls.Config{InsecureSkipVerify: true}, nil, "verifies nobody"},
		{"host:6514", nil, &export.SenderOptions{Timeout: -1}, "timeout"},
		{"host:6514", nil, &export.SenderOptions{Window: -1}, "window"},
	} {
		_, err := export.NewSender(c.addr, c.config, c.o)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.ErrorContains(t, err, c.want)
	}
	s := sender(t, "localhost:1", nil, nil)
	require.ErrorIs(t, s.Send(patient(t), nil), opsec.ErrInvalid)
	require.ErrorIs(t, s.Send(patient(t), make([]byte, export.MaxLine+1)), opsec.ErrInvalid)
	require.NoError(t, s.Send(patient(t)))
	require.NoError(t, s.Flush(patient(t)))
}

func TestFlushMeansThatTheCollectorHasRead(t *testing.T) {
	a := newAuthority(t)
	c := collect(t, a, nil)
	s := sender(t, c.addr(), a.client(t), &export.SenderOptions{Window: 1000}) // some 20 messages
	var want []string
	for i := range 10 {
		batch := numbered(10*i*i, 10*(i+1)*(i+1))
		want = append(want, batch...)
		require.NoError(t, s.Send(patient(t), bytesOf(batch)...))
		require.NoError(t, s.Flush(patient(t)))
		require.Equal(t, want, c.messages())
	}
	long := strings.Repeat("x", export.MaxLine) // longer than the window
	require.NoError(t, s.Send(patient(t), []byte("a"), []byte(long), []byte("b")))
	require.NoError(t, s.Flush(patient(t)))
	require.Equal(t, append(want, "a", long, "b"), c.messages())
}

// A collector that goes away, whenever, gets again what it may not have read.
func TestNothingSentIsLostWithTheConnection(t *testing.T) {
	for name, fail := range map[string]func(c *tls.Conn) error{
		"reset":   func(c *tls.Conn) error { return errors.New("reset") },
		"goodbye": func(c *tls.Conn) error { c.Close(); return errors.New("closed in order, with bytes unread") },
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t)
			var failures atomic.Int64
			c := collect(t, a, func(connection, message int, c *tls.Conn) error {
				if connection%2 == 0 && message >= connection%7*5 { // every other, so that the waiting stays short
					failures.Add(1)
					return fail(c)
				}
				return nil
			})
			s := sender(t, c.addr(), a.client(t), nil)
			want := numbered(0, 2000)
			for i := 0; i < len(want); i += 40 {
				for _, m := range bytesOf(want[i : i+40]) {
					require.NoError(t, s.Send(patient(t), m))
				}
				require.NoError(t, s.Flush(patient(t)))
				require.Equal(t, want[:i+40], once(c.messages()))
			}
			require.NotZero(t, failures.Load())
		})
	}
}

// The end of a connection that nobody could have said but the network is no confirmation.
func TestBareCloseIsNoConfirmation(t *testing.T) {
	a := newAuthority(t)
	bare := func(_, message int, c *tls.Conn) error {
		if message < 1 {
			return nil
		}
		c.Read(make([]byte, 1)) // the sender's close_notify
		return errors.New("bare close")
	}
	c := collect(t, a, bare)
	s := sender(t, c.addr(), a.client(t), nil)
	require.NoError(t, s.Send(patient(t), []byte("m")))
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Flush(ctx), context.DeadlineExceeded)

	c = collect(t, a, bare)
	s = sender(t, c.addr(), a.client(t), &export.SenderOptions{InsecureBareClose: true})
	require.NoError(t, s.Send(patient(t), []byte("m")))
	require.NoError(t, s.Flush(patient(t)))
	require.Equal(t, []string{"m"}, c.messages())
}

// A collector that takes nothing holds Send up, and Send ends with its context.
func TestSlowCollectorHoldsSendUp(t *testing.T) {
	a := newAuthority(t)
	stall := make(chan struct{})
	c := collect(t, a, func(connection, message int, c *tls.Conn) error {
		<-stall
		return nil
	})
	defer close(stall)
	s := sender(t, c.addr(), a.client(t), &export.SenderOptions{Window: 64 << 20})
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	var err error
	for err == nil {
		err = s.Send(ctx, make([]byte, 1<<20))
	}
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Empty(t, c.messages())
	require.ErrorIs(t, s.Flush(ctx), context.DeadlineExceeded)
}

func TestWrongPeersAreRefused(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	c := collect(t, a, nil)
	nobody := a.client(t)
	nobody.Certificates = nil
	stranger := a.client(t)
	stranger.Certificates = other.client(t).Certificates
	wrongName := a.client(t)
	wrongName.ServerName = "other"
	for name, config := range map[string]*tls.Config{
		"collector of another authority": other.client(t), "no certificate": nobody, "client of another authority": stranger,
		"collector of another name": wrongName,
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			s := sender(t, c.addr(), config, &export.SenderOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			err := errors.Join(s.Send(ctx, []byte("secret message")), s.Flush(ctx))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Contains(t, log.String(), "tls: ")
			require.NotContains(t, log.String(), "secret")
			require.Empty(t, c.messages())
		})
	}
}

func TestWhatSendRefusedIsNotSentLater(t *testing.T) {
	a := newAuthority(t)
	c := collect(t, a, nil)
	s := sender(t, c.addr(), a.client(t), nil)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, s.Send(gone, []byte("refused")), context.Canceled)
	require.NoError(t, s.Send(patient(t), []byte("sent")))
	require.NoError(t, s.Flush(patient(t)))
	require.Equal(t, []string{"sent"}, c.messages())
}
