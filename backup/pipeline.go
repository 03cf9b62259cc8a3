package backup

import (
	"context"
	"iter"
	"runtime"
	"sync"
)

const (
	batchLen    = 64 // tasks that one goroutine takes at a time: handing over single small files costs more than reading them
	batchWindow = 8  // batches in flight for each worker
)

// pipeline runs every task that produce yields through work, on several goroutines, and hands them to consume in the
// order they came. All goroutines have ended when it returns. The first error of consume, or the context's, stops
// it; drop is called for each task that was produced and not consumed. Memory is bounded by the batches in flight.
func pipeline[T any](
	ctx context.Context, workers int, produce iter.Seq[T],
	newWork func() func(context.Context, *T), consume func(*T) error, drop func(*T),
) error {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	type batch struct {
		tasks []T
		done  chan struct{}
	}
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	todo := make(chan *batch, workers*batchWindow)
	order := make(chan *batch, workers*batchWindow)

	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	for range workers {
		group.Go(func() {
			work := newWork()
			for b := range todo {
				for i := range b.tasks {
					work(ctx, &b.tasks[i])
				}
				close(b.done)
			}
		})
	}
	group.Go(func() {
		defer close(todo)
		defer close(order)
		b := &batch{done: make(chan struct{})}
		send := func() bool {
			select {
			case order <- b:
				todo <- b
				b = &batch{done: make(chan struct{})}
				return true
			case <-ctx.Done():
				for i := range b.tasks {
					drop(&b.tasks[i])
				}
				return false
			}
		}
		for t := range produce {
			if b.tasks = append(b.tasks, t); len(b.tasks) == batchLen && !send() {
				return
			}
		}
		send()
	})

	var err error
	for b := range order {
		<-b.done
		for i := range b.tasks {
			if err == nil {
				err = outer.Err()
			}
			if err != nil {
				cancel()
				drop(&b.tasks[i])
				continue
			}
			err = consume(&b.tasks[i])
		}
	}
	if err == nil {
		err = outer.Err() // the producer may have seen it first, and dropped what it had
	}
	return err
}
