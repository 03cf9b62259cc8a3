package hash

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

// lane is processors and memory, handed out in the order of arrival.
type lane struct {
	cores, memory int // all there is; memory in KiB
	queue         int // how many may wait

	mu                sync.Mutex
	usedCores, usedKB int
	waiting           list.List // of *waiter
}

type waiter struct {
	cores, kb int
	granted   chan struct{}
}

// enter waits for cores and kb KiB, at most until ctx ends or for patience: then ErrBusy. Whoever entered leaves.
func (l *lane) enter(ctx context.Context, patience time.Duration, cores, kb int) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	l.mu.Lock()
	if l.waiting.Len() == 0 && l.fits(cores, kb) {
		l.take(cores, kb)
		l.mu.Unlock()
		return nil
	}
	if l.waiting.Len() >= l.queue {
		l.mu.Unlock()
		return ErrBusy
	}
	w := &waiter{cores, kb, make(chan struct{})}
	place := l.waiting.PushBack(w)
	l.mu.Unlock()

	timer := time.NewTimer(patience)
	defer timer.Stop()
	var err error
	select {
	case <-w.granted:
		return nil
	case <-timer.C:
		err = ErrBusy
	case <-ctx.Done():
		err = fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-w.granted: // just now
		l.take(-cores, -kb)
	default:
		l.waiting.Remove(place)
	}
	l.grant()
	return err
}

// room reports whether somebody more could wait.
func (l *lane) room() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting.Len() < l.queue
}

func (l *lane) leave(cores, kb int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.take(-cores, -kb)
	l.grant()
}

func (l *lane) fits(cores, kb int) bool {
	return l.usedCores+cores <= l.cores && l.usedKB+kb <= l.memory
}

func (l *lane) take(cores, kb int) { l.usedCores, l.usedKB = l.usedCores+cores, l.usedKB+kb }

// grant lets in who is first, as long as that one fits: who needs much is not passed by those who need little.
func (l *lane) grant() {
	for first := l.waiting.Front(); first != nil; first = l.waiting.Front() {
		w := first.Value.(*waiter)
		if !l.fits(w.cores, w.kb) {
			return
		}
		l.take(w.cores, w.kb)
		l.waiting.Remove(first)
		close(w.granted)
	}
}
