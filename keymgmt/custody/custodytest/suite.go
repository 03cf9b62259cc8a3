package custodytest

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Harness is how the suite gets at an implementation. What the functions open they close, by Cleanup of their TB.
type Harness struct {
	// New returns a custodian without keys, ready for use.
	New func(testing.TB) keymgmt.Custodian
	// Again returns a second custodian onto the keys of one, as another process, or this one after a restart, would have
	// it. Nil when keys do not outlive a custodian.
	Again func(testing.TB, keymgmt.Custodian) keymgmt.Custodian
	// Seal seals a custodian. Nil when it has no such state.
	Seal func(testing.TB, keymgmt.Custodian)
	// Cut makes what a custodian depends on unreachable, and returns what mends that. Nil when that cannot be done.
	Cut func(testing.TB, keymgmt.Custodian) (mend func())
	// Handle returns the handle of a number. Nil for those of the suite.
	Handle func(n int) string
	// CannotDestroy says that Destroy leaves the key where it is, and says so.
	CannotDestroy bool
}

// Run holds an implementation to the contract.
func Run(t *testing.T, h Harness) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) { c.try(t, h) })
	}
}

type check struct {
	name string
	run  func(*trial)
}

func checks() []check {
	return []check{
		{"Generate/LeavesAKeyAsItIs", generateLeavesAKey},
		{"Generate/TakesEveryHandle", generateTakesEveryHandle},
		{"Generate/RefusesInvalidHandles", generateRefusesInvalid},
		{"Generate/OfManyAtOnceIsOneKey", generateAtOnce},
		{"Wrap/ComesBack", wrapComesBack},
		{"Wrap/IsNeverTheSameTwice", wrapNeverTwice},
		{"Wrap/HidesTheMaterial", wrapHides},
		{"Wrap/LeavesItsArgumentsAlone", wrapLeavesArguments},
		{"Wrap/RefusesNothing", wrapRefusesNothing},
		{"Unwrap/NeedsTheAssociatedData", unwrapNeedsAssociatedData},
		{"Unwrap/NeedsTheHandle", unwrapNeedsHandle},
		{"Unwrap/RefusesWhatWasChanged", unwrapRefusesChanged},
		{"Unwrap/SaysNothingOfTheMaterial", unwrapSaysNothing},
		{"Unwrap/ReturnsBytesOfItsOwn", unwrapReturnsOwn},
		{"Handle/WithoutKeyIsNotFound", handleNotFound},
		{"Destroy/EndsAKey", destroyEnds},
		{"Destroy/SaysWhatIsLeft", destroySaysLeft},
		{"Destroy/OfNothingHasNoCopies", destroyOfNothing},
		{"Destroy/LeavesOtherKeys", destroyLeavesOthers},
		{"Destroy/IsForGood", destroyForGood},
		{"Again/OpensTheSame", againOpens},
		{"Again/SeesWhatIsDestroyed", againSeesDestroyed},
		{"Again/GeneratesNoSecondKey", againGenerates},
		{"Context/EndedDoesNothing", contextEnded},
		{"Race/KeysDoNotMix", raceKeys},
		{"Race/DestroyIsCleanForOthers", raceDestroy},
		{"Seal/StopsEverything", sealStops},
		{"Cut/IsUnavailableAndNothingElse", cutIsUnavailable},
	}
}

func (c check) try(tb testing.TB, h Harness) {
	ctx, cancel := context.WithTimeout(tb.Context(), 2*time.Minute)
	defer cancel()
	c.run(&trial{TB: tb, Harness: h, ctx: ctx})
}

// trial is one check at work.
type trial struct {
	testing.TB
	Harness
	ctx context.Context
}

func (t *trial) handle(n int) string {
	if t.Handle != nil {
		return t.Handle(n)
	}
	return fmt.Sprintf("suite/key-%d", n)
}

// one returns a custodian with a key, and its handle.
func (t *trial) one() (keymgmt.Custodian, string) {
	t.Helper()
	c := t.New(t)
	t.generate(c, t.handle(0))
	return c, t.handle(0)
}

func (t *trial) needs(have bool, what string) {
	t.Helper()
	if !have {
		t.Skip(what)
	}
}

func (t *trial) generate(c keymgmt.Custodian, handle string) {
	t.Helper()
	if err := c.Generate(t.ctx, handle); err != nil {
		t.Fatalf("Generate(%q): %v", handle, err)
	}
}

func (t *trial) wrap(c keymgmt.Custodian, handle string, material, ad []byte) []byte {
	t.Helper()
	wrapped, err := c.Wrap(t.ctx, handle, material, ad)
	if err != nil || len(wrapped) == 0 {
		t.Fatalf("Wrap of %d bytes under %q: %d bytes, error %v", len(material), handle, len(wrapped), err)
	}
	return wrapped
}

func (t *trial) opens(c keymgmt.Custodian, handle string, wrapped, ad, want []byte) {
	t.Helper()
	got, err := c.Unwrap(t.ctx, handle, wrapped, ad)
	if err != nil {
		t.Fatalf("Unwrap under %q: %v", handle, err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("Unwrap under %q returns %d bytes, which are not the material", handle, len(got))
	}
}

func (t *trial) shut(c keymgmt.Custodian, handle string, wrapped, ad []byte, want error) {
	t.Helper()
	got, err := c.Unwrap(t.ctx, handle, wrapped, ad)
	t.is("Unwrap", err, want)
	if len(got) != 0 {
		t.Fatalf("Unwrap returns an error and %d bytes", len(got))
	}
}

// words are the conditions of the contract: an error has one of them.
func words() []error {
	return []error{opsec.ErrInvalid, opsec.ErrNotFound, keymgmt.ErrUnwrap, keymgmt.ErrUnavailable, keymgmt.ErrSealed}
}

func (t *trial) is(what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: error %v, want one that wraps %q", what, err, want)
	}
	for _, other := range words() {
		if other != want && want != context.Canceled && errors.Is(err, other) {
			t.Fatalf("%s: error %v wraps %q beside %q", what, err, other, want)
		}
	}
}

func (t *trial) destroy(c keymgmt.Custodian, handle string) keymgmt.Evidence {
	t.Helper()
	e, err := c.Destroy(t.ctx, handle)
	if err != nil {
		t.Fatalf("Destroy(%q): %v", handle, err)
	}
	if e.Custodian == "" || e.Handle != handle || e.Method == "" || e.Time.IsZero() {
		t.Fatalf("Destroy: evidence lacks its custodian, handle, method or time: %+v", e)
	}
	return e
}

// material is different for each seed, and long enough to be recognised.
func material(seed, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(seed*31 + i*7 + i>>8)
	}
	return b
}

func generateLeavesAKey(t *trial) {
	c, h := t.one()
	wrapped := t.wrap(c, h, material(1, 100), []byte("a"))
	t.generate(c, h)
	t.opens(c, h, wrapped, []byte("a"), material(1, 100))
}

func generateTakesEveryHandle(t *trial) {
	t.needs(t.Handle == nil, "the handles of the harness are of another shape")
	c := t.New(t)
	handles := []string{
		"a", "A", "a/b", "a/../b", "..", ".", "a\\b", "é", "e\u0301", "a b", "a*", "a%2fb", "-", "'; --",
		strings.Repeat("h", 260), strings.Repeat("h", 259) + "i",
	}
	wrapped := map[string][]byte{}
	for i, h := range handles {
		t.generate(c, h)
		wrapped[h] = t.wrap(c, h, material(i, 50), nil)
	}
	for i, h := range handles {
		t.opens(c, h, wrapped[h], nil, material(i, 50))
		t.shut(c, h, wrapped[handles[(i+1)%len(handles)]], nil, keymgmt.ErrUnwrap)
	}
}

func generateRefusesInvalid(t *trial) {
	c := t.New(t)
	for _, h := range []string{"", "a\x00b", "a\nb", "\xff", strings.Repeat("h", 4096)} {
		t.is("Generate of an invalid handle", c.Generate(t.ctx, h), opsec.ErrInvalid)
		_, err := c.Wrap(t.ctx, h, material(1, 10), nil)
		t.is("Wrap under an invalid handle", err, opsec.ErrInvalid)
		_, err = c.Unwrap(t.ctx, h, material(1, 60), nil)
		t.is("Unwrap under an invalid handle", err, opsec.ErrInvalid)
		_, err = c.Destroy(t.ctx, h)
		t.is("Destroy of an invalid handle", err, opsec.ErrInvalid)
	}
}

func sizes() []int { return []int{1, 15, 16, 17, 32, 100, 1000, 4096} } // AWS KMS takes no more than 4096

func wrapComesBack(t *trial) {
	c, h := t.one()
	for _, n := range sizes() {
		for _, ad := range [][]byte{nil, {0}, []byte("tenant=a"), material(9, 2000)} {
			wrapped := t.wrap(c, h, material(n, n), ad)
			t.opens(c, h, wrapped, ad, material(n, n))
			if most := n + 1024; len(wrapped) > most {
				t.Fatalf("%d bytes of material wrapped into %d, want at most %d", n, len(wrapped), most)
			}
		}
	}
	wrapped := t.wrap(c, h, material(1, 10), nil)
	t.opens(c, h, wrapped, []byte{}, material(1, 10)) // no associated data is empty associated data
}

func wrapNeverTwice(t *trial) {
	c, h := t.one()
	seen := map[string]bool{}
	for range 20 {
		seen[string(t.wrap(c, h, material(1, 32), []byte("a")))] = true
	}
	if len(seen) != 20 {
		t.Fatal("the same material wraps into the same bytes: who sees them learns that keys are equal")
	}
}

func wrapHides(t *trial) {
	c, h := t.one()
	m := material(1, 64)
	wrapped := t.wrap(c, h, m, []byte("a"))
	for i := range len(m) - 16 {
		if bytes.Contains(wrapped, m[i:i+16]) {
			t.Fatal("16 bytes of the material can be read in what it is wrapped into")
		}
	}
}

func wrapLeavesArguments(t *trial) {
	c, h := t.one()
	m, ad := material(1, 40), []byte("associated")
	roomy := append(make([]byte, 0, 200), m...)
	wrapped := t.wrap(c, h, roomy, ad)
	beyond := roomy[:cap(roomy)]
	if !bytes.Equal(roomy, m) || !bytes.Equal(beyond[len(m):], make([]byte, len(beyond)-len(m))) || string(ad) != "associated" {
		t.Fatal("Wrap changes what it is given, or the bytes behind it")
	}
	kept := bytes.Clone(wrapped)
	clear(roomy)
	clear(ad)
	if !bytes.Equal(kept, wrapped) {
		t.Fatal("what Wrap returns shares memory with what it was given")
	}
	t.opens(c, h, wrapped, []byte("associated"), m)
	if !bytes.Equal(kept, wrapped) {
		t.Fatal("Unwrap changes what it is given")
	}
}

func wrapRefusesNothing(t *trial) {
	c, h := t.one()
	_, err := c.Wrap(t.ctx, h, nil, nil)
	t.is("Wrap of nothing", err, opsec.ErrInvalid)
}

func unwrapNeedsAssociatedData(t *trial) {
	c, h := t.one()
	ads := [][]byte{nil, []byte("a"), []byte("b"), []byte("aa"), []byte("a\x00"), material(3, 2000)}
	for i, ad := range ads {
		wrapped := t.wrap(c, h, material(i, 50), ad)
		for j, other := range ads {
			if j != i {
				t.shut(c, h, wrapped, other, keymgmt.ErrUnwrap)
			}
		}
	}
}

func unwrapNeedsHandle(t *trial) {
	c, h := t.one()
	t.generate(c, t.handle(1))
	wrapped := t.wrap(c, h, material(1, 50), []byte("a"))
	t.shut(c, t.handle(1), wrapped, []byte("a"), keymgmt.ErrUnwrap)
}

func unwrapRefusesChanged(t *trial) {
	c, h := t.one()
	wrapped := t.wrap(c, h, material(1, 40), []byte("a"))
	for i := range wrapped {
		changed := bytes.Clone(wrapped)
		changed[i] ^= 1 << (i % 8)
		t.shut(c, h, changed, []byte("a"), keymgmt.ErrUnwrap)
		t.shut(c, h, wrapped[:i], []byte("a"), keymgmt.ErrUnwrap)
	}
	t.shut(c, h, append(bytes.Clone(wrapped), 0), []byte("a"), keymgmt.ErrUnwrap)
	t.shut(c, h, append(bytes.Clone(wrapped), wrapped...), []byte("a"), keymgmt.ErrUnwrap)
	t.shut(c, h, material(7, 5000), []byte("a"), keymgmt.ErrUnwrap)
	t.opens(c, h, wrapped, []byte("a"), material(1, 40)) // and is none the worse for it
}

func unwrapSaysNothing(t *trial) {
	c, h := t.one()
	m := []byte("material-that-nobody-may-read-in-errors")
	wrapped := t.wrap(c, h, m, nil)
	_, err := c.Unwrap(t.ctx, h, wrapped, []byte("other"))
	_, err2 := c.Wrap(t.ctx, "", m, nil)
	_, err3 := c.Wrap(t.ctx, t.handle(7), m, nil)
	for _, err := range []error{err, err2, err3} {
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, string(m)) || strings.Contains(text, hex.EncodeToString(m)) {
			t.Fatal("an error shows material")
		}
	}
}

func unwrapReturnsOwn(t *trial) {
	c, h := t.one()
	wrapped := t.wrap(c, h, material(1, 40), nil)
	got, err := c.Unwrap(t.ctx, h, wrapped, nil)
	if err != nil {
		t.Fatal(err)
	}
	clear(got)
	t.opens(c, h, wrapped, nil, material(1, 40))
}

func handleNotFound(t *trial) {
	c, h := t.one()
	wrapped := t.wrap(c, h, material(1, 40), nil)
	_, err := c.Wrap(t.ctx, t.handle(1), material(1, 40), nil)
	t.is("Wrap under a handle without key", err, opsec.ErrNotFound)
	t.shut(c, t.handle(1), wrapped, nil, opsec.ErrNotFound)
}
