package custodytest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/cloudopsec/opsec/keymgmt"
)

func TestReferenceKeepsTheContract(t *testing.T) { Run(t, harness("")) }

// keeper is a reference that cannot destroy, and says so.
type keeper struct{ *reference }

func (k keeper) Destroy(ctx context.Context, handle string) (keymgmt.Evidence, error) {
	if err := k.ready(ctx, handle); err != nil {
		return keymgmt.Evidence{}, err
	}
	e, err := (&reference{place: &place{keys: map[string][]byte{}}}).Destroy(ctx, handle)
	e.Left = []string{"the key"}
	return e, err
}

func TestCustodianThatCannotDestroyKeepsTheContract(t *testing.T) {
	h := harness("")
	h.CannotDestroy, h.Again, h.Seal, h.Cut = true, nil, nil, nil
	inner := h.New
	h.New = func(tb testing.TB) keymgmt.Custodian { return keeper{inner(tb).(*reference)} }
	h.Handle = func(n int) string { return fmt.Sprint("urn:", n) }
	Run(t, h)
}

// verdict is a testing.TB that only notes what is said of it.
type verdict struct {
	testing.TB
	mu      sync.Mutex
	said    []string
	failed  bool
	skipped bool
}

func (v *verdict) Helper() {}

func (v *verdict) Fatal(args ...any) {
	v.mu.Lock()
	v.failed = true
	v.said = append(v.said, fmt.Sprint(args...))
	v.mu.Unlock()
	runtime.Goexit()
}

func (v *verdict) Fatalf(format string, args ...any) { v.Fatal(fmt.Sprintf(format, args...)) }

func (v *verdict) Skip(...any) {
	v.skipped = true
	runtime.Goexit()
}

// judge runs a check and returns what it made of a custodian. A panic is a failure, as it would be in a test.
func judge(t *testing.T, c check, h Harness) *verdict {
	v := &verdict{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				v.failed = true
				v.said = append(v.said, fmt.Sprint("panic: ", p))
			}
		}()
		c.try(v, h)
	}()
	<-done
	return v
}

// bugs says which checks find each bug of the reference. Every check is here: one that finds none proves nothing.
var bugs = []struct{ bug, found string }{
	{"generates anew", "Generate/LeavesAKeyAsItIs Generate/OfManyAtOnceIsOneKey"},
	{"looks before it generates", "Generate/OfManyAtOnceIsOneKey Again/GeneratesNoSecondKey"},
	{"folds handles", "Generate/TakesEveryHandle"},
	{"cuts handles", "Generate/TakesEveryHandle"},
	{"has one key", "Unwrap/NeedsTheHandle Handle/WithoutKeyIsNotFound Generate/TakesEveryHandle"},
	{"takes any handle", "Generate/RefusesInvalidHandles"},
	{"cuts material", "Wrap/ComesBack"},
	{"pads to pages", "Wrap/ComesBack"},
	{"has no nonce", "Wrap/IsNeverTheSameTwice"},
	{"keeps the material beside", "Wrap/HidesTheMaterial"},
	{"clears what it wraps", "Wrap/LeavesItsArgumentsAlone"},
	{"writes behind what it wraps", "Wrap/LeavesItsArgumentsAlone"},
	{"returns what it is given", "Wrap/LeavesItsArgumentsAlone"},
	{"wraps nothing", "Wrap/RefusesNothing"},
	{"binds nothing", "Unwrap/NeedsTheAssociatedData Race/KeysDoNotMix"},
	{"binds the first bytes", "Unwrap/NeedsTheAssociatedData"},
	{"tries another key", "Unwrap/NeedsTheHandle"},
	{"ends with a byte that nobody reads", "Unwrap/RefusesWhatWasChanged"},
	{"breaks after a failure", "Unwrap/RefusesWhatWasChanged"},
	{"calls a short one invalid", "Unwrap/RefusesWhatWasChanged"},
	{"calls everything unavailable", "Unwrap/NeedsTheAssociatedData"},
	{"returns bytes with its error", "Unwrap/NeedsTheAssociatedData"},
	{"shows material", "Unwrap/SaysNothingOfTheMaterial"},
	{"returns what it keeps", "Unwrap/ReturnsBytesOfItsOwn"},
	{"generates on demand", "Handle/WithoutKeyIsNotFound Destroy/EndsAKey"},
	{"calls an absent key wrong", "Handle/WithoutKeyIsNotFound"},
	{"destroys nothing", "Destroy/EndsAKey Destroy/IsForGood"},
	{"destroys and fails", "Destroy/EndsAKey"},
	{"names no copies", "Destroy/EndsAKey Race/DestroyIsCleanForOthers"},
	{"evidence of nobody", "Destroy/EndsAKey"},
	{"cannot destroy, and is silent", "Destroy/SaysWhatIsLeft"},
	{"says that it destroyed nothing", "Destroy/OfNothingHasNoCopies Race/DestroyIsCleanForOthers"},
	{"destroys what is not there", "Destroy/OfNothingHasNoCopies"},
	{"destroys everything", "Destroy/LeavesOtherKeys"},
	{"derives keys", "Destroy/IsForGood"},
	{"forgets at restarts", "Again/OpensTheSame"},
	{"shares no new keys", "Again/GeneratesNoSecondKey"},
	{"caches keys", "Again/SeesWhatIsDestroyed"},
	{"ignores its context", "Context/EndedDoesNothing"},
	{"mixes callers", "Race/KeysDoNotMix"},
	{"works when sealed", "Seal/StopsEverything"},
	{"finds nothing when cut off", "Cut/IsUnavailableAndNothingElse"},
	{"stays away", "Cut/IsUnavailableAndNothingElse"},
}

func TestEveryCheckFindsABug(t *testing.T) {
	named := map[string]check{}
	for _, c := range checks() {
		named[c.name] = c
	}
	tried := map[string]bool{}
	for _, b := range bugs {
		for name := range strings.FieldsSeq(b.found) {
			tried[name] = true
			t.Run(name+" finds one that "+b.bug, func(t *testing.T) {
				c, ok := named[name]
				if !ok {
					t.Fatal("there is no such check")
				}
				h := harness(b.bug)
				h.CannotDestroy = strings.HasPrefix(b.bug, "cannot destroy")
				v := judge(t, c, h)
				if !v.failed {
					t.Fatalf("it does not (skipped: %v)", v.skipped)
				}
				t.Log(v.said[0])
			})
		}
	}
	for name := range named {
		if !tried[name] {
			t.Errorf("no bug is found by %s", name)
		}
	}
}
