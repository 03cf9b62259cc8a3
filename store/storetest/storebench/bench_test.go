package storebench_test

import (
	"testing"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest/storebench"
)

func BenchmarkMemory(b *testing.B) {
	storebench.Run(b, func(testing.TB) store.Driver { return memory.New() })
}
