package backup

import (
	"context"
	"testing"
)

func BenchmarkFS(b *testing.B) {
	d, _ := OpenDir("/dev/shm/tree")
	for b.Loop() {
		n := 0
		for _, err := range SumFS(context.Background(), d, nil) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
}
