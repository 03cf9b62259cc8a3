package bench

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
	"github.com/cloudopsec/opsec/keymgmt/shelf"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
)

var tenants = flag.Int("tenants", 10_000, "tenants, each with a key of its own")

// phases are what BenchmarkKeysTenants does with the keys of tenants, each in a process of its own: what a process has in
// memory is not what the one before has left.
var phases = []struct {
	name string
	of   func(n int) int // what a time is divided by
	run  func(k *tenantKeys, ctx context.Context, n int) error
}{
	{"create", func(n int) int { return n }, (*tenantKeys).create},
	{"list", func(n int) int { return n }, (*tenantKeys).list},
	{"rotate", func(int) int { return someTenants }, (*tenantKeys).rotate},
	{"restart", func(int) int { return 1 }, (*tenantKeys).first},
	{"use", func(int) int { return useTenants }, (*tenantKeys).use},
}

const (
	callers     = 128    // that create side by side, so that they share syncs
	someTenants = 100    // whose key is rotated, one after the other
	useTenants  = 10_000 // whose key is used, at random, by a node that holds 1,000
)

// tenantKeys are keysets in a file, one for each tenant, all of them the provider's own.
type tenantKeys struct {
	db        *store.DB
	custodian local
	manager   *lifecycle.Manager
}

func tenantKey(i int) keymgmt.SetID {
	return keymgmt.SetID{Tenant: opsec.Provider, ID: fmt.Sprintf("tenant/t-%09d", i)}
}

var (
	providersKeeper = lifecycle.By{Actor: opsec.Actor{Tenant: opsec.Provider, Account: "keeper", Person: "keeper", Kind: opsec.Human}, Reason: "bench"}
	providersServer = opsec.Actor{Tenant: opsec.Provider, Account: "server", Person: "server", Kind: opsec.Service}
)

// create makes a keyset and its first key for each tenant, and hands over the events meanwhile.
func (k *tenantKeys) create(ctx context.Context, n int) error {
	policy := keymgmt.Preset(keymgmt.KeyWrapping)
	roles := keymgmt.Roles{
		keymgmt.Administrator: {keymgmt.Person(providersKeeper.Actor)}, keymgmt.Operator: {keymgmt.Person(providersServer)},
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, callers+1)
	for range callers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				_, err := k.manager.Create(ctx, providersKeeper, keymgmt.Keyset{
					SetID: tenantKey(i), Purpose: keymgmt.KeyWrapping, Algorithm: "AES256_GCM", Custodian: "root", Policy: policy, Roles: roles,
				})
				if err == nil {
					_, err = k.manager.Rotate(ctx, providersKeeper, tenantKey(i))
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for {
		if _, err := k.db.Deliver(ctx, k.db.Node(), unheard{}); err != nil {
			errs <- err
		}
		select {
		case err := <-errs:
			return err
		case <-done:
			_, err := k.db.Deliver(ctx, k.db.Node(), unheard{})
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (k *tenantKeys) list(ctx context.Context, n int) error {
	seen := 0
	for set, err := range k.manager.List(ctx, opsec.Provider, "") {
		if err != nil {
			return err
		}
		if set.SetID != tenantKey(seen) || set.Primary == 0 {
			return fmt.Errorf("keyset %d is %v, primary %d", seen, set.SetID, set.Primary)
		}
		seen++
	}
	if seen != n {
		return fmt.Errorf("%d keysets, want %d", seen, n)
	}
	return nil
}

func (k *tenantKeys) rotate(ctx context.Context, n int) error {
	r := rand.New(rand.NewPCG(5, 0))
	for range someTenants {
		if _, err := k.manager.Rotate(ctx, providersKeeper, tenantKey(r.IntN(n))); err != nil {
			return err
		}
	}
	return nil
}

// first is the first use of a key after a start. Its time includes the opening of the file.
func (k *tenantKeys) first(ctx context.Context, n int) error { return k.seal(ctx, n, 1) }

func (k *tenantKeys) use(ctx context.Context, n int) error { return k.seal(ctx, n, useTenants) }

func (k *tenantKeys) seal(ctx context.Context, n, times int) error {
	node, err := keyring.Join(ctx, k.manager, k.custodian, &keyring.Options{Node: string(opsec.NewID()), Actor: providersServer, Stale: time.Hour, Fence: time.Hour})
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(6, 0))
	for range times {
		ring, err := node.Ring(ctx, tenantKey(r.IntN(n)))
		if err != nil {
			return err
		}
		if _, err := ring.Seal(nil, make([]byte, 32), keymgmt.Context{}); err != nil {
			return err
		}
	}
	return node.Close(ctx)
}

// TestKeysTenantsChild is the process of one phase. It prints how long that took, and the most memory that it had of its
// own: RssAnon, which leaves out the pages of the file.
func TestKeysTenantsChild(t *testing.T) {
	path, phase := os.Getenv("OPSEC_BENCH_TENANTS"), os.Getenv("OPSEC_BENCH_PHASE")
	if path == "" {
		t.Skip("for BenchmarkKeysTenants")
	}
	n, err := strconv.Atoi(os.Getenv("OPSEC_BENCH_COUNT"))
	require.NoError(t, err)
	stop := make(chan struct{})
	peak := make(chan int)
	go func() { peak <- peakMemory(stop) }()
	start := time.Now()
	require.NoError(t, onePhase(t, path, phase, n))
	took := time.Since(start)
	close(stop)
	fmt.Printf("took %d %d\n", took.Nanoseconds(), <-peak)
}

func onePhase(t testing.TB, path, phase string, n int) error {
	driver, err := bolt.Open(path, nil)
	require.NoError(t, err)
	defer driver.Close()
	options := &store.Options{Node: "bench"}
	db := newStore(t, driver, options)
	custodian := newLocal(t)
	k := &tenantKeys{db, custodian, newManager(t, shelf.Stored(db, options), custodian)}
	for _, p := range phases {
		if p.name == phase {
			return p.run(k, context.Background(), n)
		}
	}
	return fmt.Errorf("no phase %s", phase)
}

// peakMemory looks at the memory of this process until stop is closed, and returns the most, in KiB.
func peakMemory(stop <-chan struct{}) (peak int) {
	for {
		status, _ := os.ReadFile("/proc/self/status")
		for line := range strings.Lines(string(status)) {
			if kib, ok := strings.CutPrefix(line, "RssAnon:"); ok {
				now, _ := strconv.Atoi(strings.Fields(kib)[0])
				peak = max(peak, now)
			}
		}
		select {
		case <-stop:
			return peak
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// BenchmarkKeysTenants creates, lists, rotates and uses the keys of -tenants tenants in a file, and of a hundredth of
// them: what a process needs must not follow their number.
func BenchmarkKeysTenants(b *testing.B) {
	self, err := os.Executable()
	require.NoError(b, err)
	for _, n := range []int{*tenants / 100, *tenants} {
		b.Run(fmt.Sprintf("tenants=%d", n), func(b *testing.B) {
			path := filepath.Join(storeDir(b), "keys")
			for _, p := range phases {
				b.Run(p.name, func(b *testing.B) {
					if b.N > 1 {
						b.Fatal("want -benchtime=1x")
					}
					cmd := exec.Command(self, "-test.run=^TestKeysTenantsChild$", "-test.timeout=4h")
					cmd.Env = append(os.Environ(), "OPSEC_BENCH_TENANTS="+path, "OPSEC_BENCH_PHASE="+p.name, "OPSEC_BENCH_COUNT="+strconv.Itoa(n))
					out, err := cmd.CombinedOutput()
					require.NoError(b, err, string(out))
					var ns, kib float64
					_, err = fmt.Sscanf(string(out), "took %f %f", &ns, &kib)
					require.NoError(b, err, string(out))
					info, err := os.Stat(path)
					require.NoError(b, err)
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(ns/1e9, "s")
					b.ReportMetric(ns/1e3/float64(p.of(n)), "us-each")
					b.ReportMetric(kib/1024, "MiB-peak")
					b.ReportMetric(float64(info.Size())/(1<<20), "MiB-file")
				})
			}
		})
	}
}

// TestKeysTenantsPhases runs all phases, small, in this process.
func TestKeysTenantsPhases(t *testing.T) {
	path := filepath.Join(storeDir(t), "keys")
	for _, p := range phases {
		require.NoError(t, onePhase(t, path, p.name, 300), p.name)
	}
}
