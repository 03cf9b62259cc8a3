package transit

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
)

// Options are how [Files] are wired. Nil stands for the zero Options.
type Options struct {
	Now    func() time.Time // default: time.Now
	Every  time.Duration    // how often the files are looked at, at most; default: 10 s
	Logger *slog.Logger     // told of what is renewed, and of what could not be; default: nobody
}

// Files are the [Certificates] in two files of PEM, which somebody renews. They are looked at in a handshake, at most once
// in [Options].Every. A pair that does not belong together, cannot be read or is not valid at that time does not take the
// place of one that was.
type Files struct {
	cert, key string
	now       func() time.Time
	every     time.Duration
	log       *slog.Logger

	mu       sync.Mutex
	looked   time.Time
	sum      [sha256.Size]byte // of what is in use, to see a change
	pair     *tls.Certificate
	complain string // what was logged last, so that it is once
}

// NewFiles returns the certificate chain and the key in these files. What is missing, malformed or not valid now wraps
// [opsec.ErrInvalid].
func NewFiles(cert, key string, o *Options) (*Files, error) {
	f := &Files{cert: cert, key: key, now: time.Now, every: 10 * time.Second, log: slog.New(slog.DiscardHandler)}
	if o != nil {
		if o.Now != nil {
			f.now = o.Now
		}
		if o.Every < 0 {
			return nil, invalid("Every is %v, want more than 0", o.Every)
		}
		if o.Every > 0 {
			f.every = o.Every
		}
		if o.Logger != nil {
			f.log = o.Logger
		}
	}
	if err := f.load(f.now()); err != nil {
		return nil, err
	}
	return f, nil
}

// Certificate implements [Certificates]. The error is always nil: there is always one that was valid when it was read.
func (f *Files) Certificate() (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if since := now.Sub(f.looked); since < 0 || since >= f.every {
		if err := f.load(now); err == nil {
			f.complain = ""
		} else if text := err.Error(); text != f.complain {
			f.complain = text
			f.log.Error("transit: certificate not renewed", "file", f.cert, "error", err, "valid_until", f.pair.Leaf.NotAfter)
		}
	}
	return f.pair, nil
}

// load takes what is in the files, when it is good and new.
func (f *Files) load(now time.Time) error {
	f.looked = now
	cert, err := os.ReadFile(f.cert)
	if err != nil {
		return fmt.Errorf("transit: certificate: %w: %w", err, opsec.ErrInvalid)
	}
	key, err := os.ReadFile(f.key)
	if err != nil {
		return fmt.Errorf("transit: key: %w: %w", err, opsec.ErrInvalid)
	}
	defer clear(key)
	h := sha256.New()
	h.Write(cert)
	h.Write(key)
	sum := [sha256.Size]byte(h.Sum(nil))
	if f.pair != nil && sum == f.sum {
		return nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("transit: certificate and key: %w: %w", err, opsec.ErrInvalid)
	}
	if leaf := pair.Leaf; now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return invalid("certificate is valid from %v to %v, not now", leaf.NotBefore, leaf.NotAfter)
	}
	if f.pair != nil {
		f.log.Info("transit: certificate renewed", "file", f.cert, "valid_until", pair.Leaf.NotAfter)
	}
	f.sum, f.pair = sum, &pair
	return nil
}
