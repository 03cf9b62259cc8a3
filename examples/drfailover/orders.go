package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// orders is a client that places orders, one after the other, and connects again when it is cut off.
type orders struct {
	stop context.CancelFunc
	done sync.WaitGroup
	mu   sync.Mutex
	at   map[string]time.Time // when each was acknowledged
}

func order(ctx context.Context, front string) *orders {
	ctx, stop := context.WithCancel(ctx)
	o := &orders{stop: stop, at: map[string]time.Time{}}
	o.done.Go(func() {
		for n := 1; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
			c, err := net.Dial("tcp", front)
			if err != nil {
				continue
			}
			end := context.AfterFunc(ctx, func() { c.Close() })
			for in := bufio.NewScanner(c); ; n++ { // one without an answer is not placed again
				name := fmt.Sprintf("%08d", n)
				if _, err := fmt.Fprintln(c, name); err != nil || !in.Scan() {
					n++
					break
				}
				o.mu.Lock()
				o.at[name] = time.Now()
				o.mu.Unlock()
				time.Sleep(5 * time.Millisecond)
			}
			end()
			c.Close()
		}
	})
	return o
}

func (o *orders) end() {
	o.stop()
	o.done.Wait()
}

func (o *orders) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.at)
}

// since counts the orders that were acknowledged after t.
func (o *orders) since(t time.Time) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, at := range o.at {
		if at.After(t) {
			n++
		}
	}
	return n
}

// next returns when the first order after t was acknowledged.
func (o *orders) next(t time.Time) (first time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, at := range o.at {
		if at.After(t) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// missing returns when those orders were acknowledged that are not there, in order; of those up to a time.
func (o *orders) missing(there []string, to time.Time) (at []time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, when := range o.at {
		if !when.After(to) && !slices.Contains(there, name) {
			at = append(at, when)
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	return at
}
