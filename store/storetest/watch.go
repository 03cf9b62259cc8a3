package storetest

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/cloudopsec/opsec/store"
)

func watchChecks() []check {
	return []check{
		{"HintsAtOnce", watchHintsAtOnce},
		{"HintsAfterEachChange", watchHintsAfterEachChange},
		{"HintsAfterAChangeByAnotherHandle", watchHintsAcrossHandles},
		{"HintsOfEveryPrefix", watchHintsOfEveryPrefix},
		{"HintsWhenTheChangeCanBeRead", watchHintsWhenReadable},
		{"OwesASlowListenerAHint", watchOwesSlowListener},
		{"StopsWithItsContext", watchStopsWithContext},
		{"StopsWhenTheCallerDoes", watchStopsWhenCallerDoes},
		{"EndsWithClose", watchEndsWithClose},
	}
}

func (t *trial) watcher(d store.Driver) store.Watcher {
	t.Helper()
	w, ok := d.(store.Watcher)
	if !ok {
		t.Skip("the driver does not watch")
	}
	return w
}

// listener runs a Watch in a goroutine.
type listener struct {
	t     *trial
	hints chan struct{}
	end   chan error // what it ended with; nil if it just stopped
	stop  context.CancelFunc
}

// listen returns when the Watch listens.
func (t *trial) listen(d store.Driver, prefix string) *listener {
	t.Helper()
	w := t.watcher(d)
	ctx, cancel := context.WithCancel(t.ctx)
	t.Cleanup(cancel)
	l := &listener{t: t, hints: make(chan struct{}, 10_000), end: make(chan error, 1), stop: cancel}
	go func() {
		var last error
		for _, err := range w.Watch(ctx, prefix) {
			if last != nil {
				last = fmt.Errorf("Watch goes on after an error: %w", last)
				break
			}
			if last = err; err == nil {
				l.hints <- struct{}{}
			}
		}
		l.end <- last
	}()
	l.hint("that it listens")
	return l
}

// hint waits for one.
func (l *listener) hint(of string) {
	l.t.Helper()
	select {
	case <-l.hints:
	case err := <-l.end:
		l.t.Fatalf("Watch ends (%v) where a hint %s was due", err, of)
	case <-time.After(l.t.patience):
		l.t.Fatalf("Watch gives no hint %s", of)
	}
}

// after does something and waits for a hint that came later.
func (l *listener) after(what string, f func()) {
	l.t.Helper()
	for len(l.hints) > 0 {
		<-l.hints
	}
	f()
	l.hint("after " + what)
}

func (l *listener) ended(when string) error {
	l.t.Helper()
	select {
	case err := <-l.end:
		return err
	case <-time.After(l.t.patience):
		l.t.Fatalf("Watch goes on %s", when)
		return nil
	}
}

func watchHintsAtOnce(t *trial) {
	d := t.open()
	t.listen(d, "")
	t.listen(d, "nothing is there")
	t.put(d, "k", "v")
	t.listen(d, "k")
}

func watchHintsAfterEachChange(t *trial) {
	d := t.open()
	l, beside := t.listen(d, "a/"), t.listen(d, "a/k") // one listener takes nothing from another
	for n := range 10 {
		l.after("an insert", func() { t.put(d, "a/k", strconv.Itoa(n)) })
		l.after("a rewrite", func() { t.put(d, "a/k", strconv.Itoa(n)) })
		beside.after("a delete", func() { t.remove(d, "a/k") })
		l.after("a change among others", func() { t.put(d, "a", "", "a/", "", "b", "") })
		for range n * 5 { // what lies beside the prefix uses nothing up
			t.put(d, "b", "v")
		}
	}
}

func watchHintsAcrossHandles(t *trial) {
	first, second := t.pair()
	if first == second {
		t.Skip("the engine allows one handle only")
	}
	l := t.listen(first, "a/")
	for n := range 10 {
		l.after("an insert by another handle", func() { t.put(second, "a/k", strconv.Itoa(n)) })
		l.after("a change by this handle", func() { t.put(first, "a/k", strconv.Itoa(n)) })
		l.after("a delete by another handle", func() { t.remove(second, "a/k") })
	}
}

func watchHintsOfEveryPrefix(t *trial) {
	d := t.open()
	for _, prefix := range []string{"", "\x00", "\xff", "\xff\xff", "\xc3\x28", "a'b\\%", "long/0123456789012345678901234567890123456789/"} {
		l := t.listen(d, prefix)
		l.after(fmt.Sprintf("a change right below %q", prefix), func() { t.put(d, prefix+"k", "v") })
		l.after(fmt.Sprintf("a change far below %q", prefix), func() { t.put(d, prefix+"\xff\x00/\xff", "v") })
		if prefix != "" {
			l.after(fmt.Sprintf("a change of %q itself", prefix), func() { t.put(d, prefix, "v") })
		}
		l.stop()
	}
}

// watchHintsWhenReadable reads at each hint, as whoever keeps a copy does. A hint that comes before its change can be
// read would leave the copy old.
func watchHintsWhenReadable(t *trial) {
	first, second := t.pair()
	w := t.watcher(second)
	seen := make(chan int, 100_000)
	end := make(chan error, 1)
	go func() {
		for _, err := range w.Watch(t.ctx, "k") {
			var items []store.Item
			if err == nil {
				items, err = get(t.ctx, second, "k")
			}
			if err != nil {
				end <- err
				return
			}
			seen <- number(items[0])
		}
	}()
	for n := range 150 {
		t.put(first, "k", strconv.Itoa(n))
		timeout := time.After(t.patience)
		for now := -1; now < n; {
			select {
			case now = <-seen:
			case err := <-end:
				t.Fatal(err)
			case <-timeout:
				t.Fatalf("commit %d returned; who reads at each hint has not seen it", n)
			}
		}
	}
}

// watchOwesSlowListener commits while a listener is busy with a hint.
func watchOwesSlowListener(t *trial) {
	d := t.open()
	w := t.watcher(d)
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	hints, goOn := make(chan struct{}), make(chan struct{})
	go func() {
		for range w.Watch(ctx, "k") {
			select {
			case hints <- struct{}{}:
			case <-ctx.Done():
				return
			}
			select {
			case <-goOn:
			case <-ctx.Done():
				return
			}
		}
	}()
	next := func(what string) {
		t.Helper()
		select {
		case <-hints:
		case <-time.After(t.patience):
			t.Fatal("Watch gives no hint", what)
		}
	}
	next("that it listens")
	for range 10 {
		for n := range 20 { // a listener holds nobody up
			t.put(d, "k", strconv.Itoa(n))
		}
		goOn <- struct{}{}
		next("after changes that were made while the listener was busy")
	}
}

func watchStopsWithContext(t *trial) {
	d := t.open()
	l := t.listen(d, "")
	l.stop()
	if err := l.ended("after its context has ended"); err != nil {
		t.Fatalf("Watch whose context ended yields %v", err)
	}
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	end := make(chan error, 1)
	go func() {
		for _, err := range t.watcher(d).Watch(ctx, "") {
			if err != nil {
				end <- err
				return
			}
		}
		end <- nil
	}()
	if err := (&listener{t: t, end: end}).ended("under a context that had ended before"); err != nil {
		t.Fatalf("Watch under a context that had ended yields %v", err)
	}
	t.put(d, "k", "v")
}

func watchStopsWhenCallerDoes(t *trial) {
	d := t.open()
	w := t.watcher(d)
	for range 20 {
		for _, err := range w.Watch(t.ctx, "k") {
			t.ok(err)
			break
		}
		t.put(d, "k", "v")
	}
}

func watchEndsWithClose(t *trial) {
	d := t.open()
	l := t.listen(d, "")
	t.ok(d.Close())
	_ = l.ended("after Close") // with ErrClosed or without an error
	end := make(chan error, 1)
	go func() {
		for range t.watcher(d).Watch(t.ctx, "") {
		}
		end <- nil
	}()
	_ = (&listener{t: t, end: end}).ended("on a driver that is closed")
}
