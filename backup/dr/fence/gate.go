package fence

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/wholefile"
)

// ErrFenced says that a token is older than one that has been seen: who holds it is no longer primary. It wraps
// [opsec.ErrDenied].
var ErrFenced = fmt.Errorf("fence: a newer primary has come: %w", opsec.ErrDenied)

// ErrInUse says that a gate is open already, in this process or another.
var ErrInUse = errors.New("fence: the gate is in use")

// FencedError is the ErrFenced of one token.
type FencedError struct {
	Token   uint64 // refused
	Highest uint64 // seen
}

// Error implements error.
func (e *FencedError) Error() string {
	return fmt.Sprintf("fence: token %d is refused: a primary with token %d has come", e.Token, e.Highest)
}

// Unwrap returns [ErrFenced].
func (e *FencedError) Unwrap() error { return ErrFenced }

// Gate refuses whoever comes with a token older than the greatest that it has seen (M. Kleppmann, How to do distributed
// locking, 2016). It stands on the storage side, and may be used by many goroutines.
type Gate struct {
	name string
	lock *os.File

	mu      sync.RWMutex // held for reading while something is done under the highest token
	highest uint64
	broken  error // the token could not be made durable: nothing passes any more
}

// OpenGate opens the gate whose token is in the file called name, which is made when it was never there: then no token has
// been seen. A file that is not whole, has been taken away, or is a link is an error that wraps [opsec.ErrInvalid], and not
// a gate that is open. One that is open already is [ErrInUse], where the system has flock(2): two that did not know of each
// other would let two primaries through. The lock is on a file beside it, name with ".lock", which stays.
func OpenGate(name string) (*Gate, error) {
	if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() { // another name would have another lock
		return nil, fmt.Errorf("fence: want a file, and not a link or something else: %s: %w", name, opsec.ErrInvalid)
	}
	f, err := os.OpenFile(name+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("fence: %w", err)
	}
	g := &Gate{name: name, lock: f}
	err = lock(f)
	if err == nil {
		err = g.load()
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: %s", err, name)
	}
	return g, nil
}

// Close lets another open the gate, when what is being done has ended. Nothing passes this one any more.
func (g *Gate) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.broken = fmt.Errorf("fence: gate %s: %w", g.name, fs.ErrClosed)
	return g.lock.Close()
}

// load reads the token. The lock's file is empty until there has been one.
func (g *Gate) load() error {
	info, err := g.lock.Stat()
	if err != nil {
		return fmt.Errorf("fence: %w", err)
	}
	b, err := readToken(g.name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && info.Size() > 0:
		return fmt.Errorf("fence: the file with the token has been taken away; write the last token into it, and a newline: %w", opsec.ErrInvalid)
	case errors.Is(err, fs.ErrNotExist):
		b, err = []byte("0\n"), g.save(0)
	}
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		if _, err := g.lock.WriteString("beside this is a token\n"); err != nil {
			return fmt.Errorf("fence: %w", err)
		}
		if err := g.lock.Sync(); err != nil {
			return fmt.Errorf("fence: %w", err)
		}
	}
	text, ends := strings.CutSuffix(string(b), "\n")
	g.highest, err = strconv.ParseUint(text, 10, 64)
	if err != nil || !ends || strconv.FormatUint(g.highest, 10) != text {
		return fmt.Errorf("fence: want a line with a decimal token: %w", opsec.ErrInvalid)
	}
	return nil
}

func readToken(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("fence: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return nil, fmt.Errorf("fence: %w", err)
	}
	return b, nil
}

func (g *Gate) save(token uint64) error {
	err := wholefile.Write(g.name, 0o600, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%d\n", token)
		return err
	})
	if err != nil {
		return fmt.Errorf("fence: keep the token: %w", err)
	}
	return nil
}

// Highest returns the greatest token that the gate has seen; 0 is none.
func (g *Gate) Highest() uint64 {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.highest
}

// Raise tells the gate of a token, 1 at least. It returns once the token is durable and what was being done under an older
// one has ended. An older token than the greatest is a [*FencedError]; the greatest itself is none.
func (g *Gate) Raise(token uint64) error {
	if token == 0 {
		return fmt.Errorf("fence: token: want 1 at least: %w", opsec.ErrInvalid)
	}
	g.mu.RLock()
	err := g.judge(token)
	same := token == g.highest
	g.mu.RUnlock()
	if err != nil || same {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.judge(token); err != nil || token == g.highest {
		return err
	}
	if err := g.save(token); err != nil {
		g.broken = err // the file may hold either token
		return err
	}
	g.highest = token
	return nil
}

// judge is called with mu held.
func (g *Gate) judge(token uint64) error {
	if g.broken != nil {
		return g.broken
	}
	if token < g.highest {
		return &FencedError{Token: token, Highest: g.highest}
	}
	return nil
}

// Do raises the gate to the token and calls fn while no newer one can come, or returns why not. A newer primary waits for
// fn: it must end by itself, not depend on the holder of the token, and not use the gate.
func (g *Gate) Do(token uint64, fn func() error) error {
	if err := g.Raise(token); err != nil {
		return err
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	if err := g.judge(token); err != nil {
		return err
	}
	return fn()
}
