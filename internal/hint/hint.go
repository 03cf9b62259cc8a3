// Package hint tells listeners in this process that something below a prefix has changed. Hints coalesce: a listener
// that is slow gets one for many changes, and never holds up who changes.
package hint

import (
	"context"
	"iter"
	"strings"
	"sync"
)

// Hub is where changes are told. The zero value is ready.
type Hub struct {
	mu        sync.RWMutex
	listeners map[*listener]struct{}
	closed    error
}

type listener struct {
	prefix string
	wake   chan struct{} // one hint waits at most
}

// Tell wakes those who listen to a prefix of one of the keys.
func (h *Hub) Tell(keys ...string) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for l := range h.listeners {
		for _, key := range keys {
			if strings.HasPrefix(key, l.prefix) {
				l.signal()
				break
			}
		}
	}
}

// TellAll wakes everybody who listens.
func (h *Hub) TellAll() {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for l := range h.listeners {
		l.signal()
	}
}

// Listening reports whether anybody would hear.
func (h *Hub) Listening() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.listeners) > 0
}

// Close ends every Watch, now and later, with err.
func (h *Hub) Close(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = err
	for l := range h.listeners {
		l.signal()
	}
}

func (l *listener) signal() {
	select {
	case l.wake <- struct{}{}:
	default: // a hint waits already, and stands for this change too
	}
}

// Watch yields once as soon as it listens, and after changes below prefix, until ctx ends or the hub is closed.
func (h *Hub) Watch(ctx context.Context, prefix string) iter.Seq2[struct{}, error] {
	return func(yield func(struct{}, error) bool) {
		l := &listener{prefix: prefix, wake: make(chan struct{}, 1)}
		l.signal()
		h.mu.Lock()
		if h.listeners == nil {
			h.listeners = map[*listener]struct{}{}
		}
		h.listeners[l] = struct{}{}
		h.mu.Unlock()
		defer func() {
			h.mu.Lock()
			delete(h.listeners, l)
			h.mu.Unlock()
		}()
		for {
			select {
			case <-ctx.Done():
				return
			case <-l.wake:
			}
			h.mu.RLock()
			closed := h.closed
			h.mu.RUnlock()
			switch {
			case ctx.Err() != nil:
				return
			case closed != nil:
				yield(struct{}{}, closed)
				return
			case !yield(struct{}{}, nil):
				return
			}
		}
	}
}
