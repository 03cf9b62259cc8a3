package audittest

import (
	"context"
	"errors"
	"sync"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
)

// ErrFault is the failure of a [Sink] that was told to fail.
var ErrFault = errors.New("audittest: fault")

// Sink is an [audit.Sink] in memory. The zero value is durable and works; the constructors return faulty ones. It
// may be used by many goroutines.
type Sink struct {
	Volatile bool // not Durable

	mu     sync.Mutex
	events []opsec.Event
	writes int
	closed bool
	fault  func(write, have, batch int) (take int, err error)
	hang   chan struct{} // Write waits until it is closed; nil: it does not
}

// Hung returns a Sink whose Write does not return, whatever becomes of its context, until [Sink.Mend].
func Hung() *Sink { return &Sink{hang: make(chan struct{})} }

// FailAfter returns a Sink that takes n events and from then on, within a batch if need be, fails until [Sink.Mend].
func FailAfter(n int) *Sink {
	return &Sink{fault: func(_, have, batch int) (int, error) {
		if have+batch <= n {
			return batch, nil
		}
		return max(0, n-have), ErrFault
	}}
}

// Flaky returns a Sink whose every nth Write takes one half of its batch and fails.
func Flaky(n int) *Sink {
	return &Sink{fault: func(write, _, batch int) (int, error) {
		if write%n != 0 {
			return batch, nil
		}
		return batch / 2, ErrFault
	}}
}

// Mend makes a faulty Sink work. A Write that hangs takes its batch and returns nil.
func (s *Sink) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = nil
	if s.hang != nil {
		close(s.hang)
		s.hang = nil
	}
}

// Write implements [audit.Sink].
func (s *Sink) Write(_ context.Context, batch []audit.Record) error {
	s.mu.Lock()
	hang := s.hang
	s.mu.Unlock()
	if hang != nil {
		<-hang
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	take, err := len(batch), error(nil)
	if s.fault != nil {
		take, err = s.fault(s.writes, len(s.events), len(batch))
	}
	for _, r := range batch[:take] {
		s.events = append(s.events, stored(r.JSON))
	}
	return err
}

// Durable implements [audit.Sink].
func (s *Sink) Durable() bool { return !s.Volatile }

// Close implements [audit.Sink].
func (s *Sink) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// Closed reports whether Close has been called.
func (s *Sink) Closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Events returns what the sink has taken, in order, with every repetition.
func (s *Sink) Events() []opsec.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]opsec.Event(nil), s.events...)
}
