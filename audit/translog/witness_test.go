package translog_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/verify"
)

// witness speaks C2SP tlog-witness, for one log. The real one is in internal/interop.
type witness struct {
	signer *checkpoint.Signer
	mu     sync.Mutex
	size   uint64
	root   tlog.Hash
	hangs  bool
}

func newWitness(t *testing.T, name string) (*witness, *httptest.Server) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	w := &witness{}
	w.signer, err = checkpoint.NewCosigner(name, key, time.Now)
	require.NoError(t, err)
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	return w, server
}

func (w *witness) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hangs {
		w.mu.Unlock()
		<-r.Context().Done()
		w.mu.Lock()
		return
	}
	head, signed, _ := strings.Cut(string(body), "\n\n")
	lines := strings.Split(head, "\n")
	var old uint64
	fmt.Sscanf(lines[0], "old %d", &old)
	var proof tlog.TreeProof
	for _, l := range lines[1:] {
		h, _ := base64.StdEncoding.DecodeString(l)
		proof = append(proof, tlog.Hash(h))
	}
	text, _, _ := strings.Cut(signed, "\n\n")
	c, err := checkpoint.Parse(text + "\n")
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	if old != w.size {
		out.Header().Set("Content-Type", "text/x.tlog.size")
		out.WriteHeader(http.StatusConflict)
		fmt.Fprintln(out, w.size)
		return
	}
	if w.size > 0 && tlog.CheckTree(proof, int64(c.Size), c.Root, int64(w.size), w.root) != nil {
		http.Error(out, "inconsistent", http.StatusUnprocessableEntity)
		return
	}
	w.size, w.root = c.Size, c.Root
	n, err := note.Sign(&note.Note{Text: text + "\n"}, w.signer)
	if err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	_, lineText, _ := strings.Cut(string(n), "\n\n")
	io.WriteString(out, lineText)
}

func (k *kit) witnessed(quorum int, servers map[*witness]*httptest.Server) {
	k.t.Helper()
	text := strings.Replace(k.policy.Trust.String(), "quorum none\n", "", 1)
	var names []string
	for w, s := range servers {
		name := fmt.Sprintf("w%d", len(names))
		text += fmt.Sprintf("witness %s %s %s\n", name, w.signer.VerifierKey(), s.URL)
		names = append(names, name)
	}
	text += fmt.Sprintf("group g %d %s\nquorum g\n", quorum, strings.Join(names, " "))
	var err error
	k.policy.Trust, err = checkpoint.ParsePolicy(text)
	require.NoError(k.t, err)
	k.policy.WitnessWait = 2 * time.Second
}

func TestWitnessesCosignAndARollbackIsFound(t *testing.T) {
	k := newKit(t)
	one, s1 := newWitness(t, "witness.example/1")
	two, s2 := newWitness(t, "witness.example/2")
	three, s3 := newWitness(t, "witness.example/3")
	three.hangs = true
	k.witnessed(2, map[*witness]*httptest.Server{one: s1, two: s2, three: s3})
	l := k.open()
	r := k.append(l, "acme", "eve", 1)
	settle(t, l)
	proof, err := l.Prove(t.Context(), r.Index)
	require.NoError(t, err)
	v, err := proof.Verify(r.Leaf, k.policy.Trust, time.Now())
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(v.Cosigned), 2, "a hung witness holds up nobody")
	require.NoError(t, l.stop())
	k.sound()
	before := load(t, k.dir)

	l = k.open()
	for n := range 20 {
		k.append(l, "acme", "eve", n)
	}
	settle(t, l)
	require.NoError(t, l.stop())
	ask := func() *verify.Report {
		g, err := checkpoint.NewGatherer(k.policy.Trust, nil)
		require.NoError(t, err)
		r, err := verify.Log(t.Context(), os.DirFS(k.dir), k.policy.Trust, verify.Options{Witness: g})
		require.NoError(t, err)
		return r
	}
	three.mu.Lock()
	three.hangs = false
	three.mu.Unlock()
	now := ask()
	require.True(t, now.OK, "%v", now.Findings)

	store(t, k.dir, before) // the whole directory, with good cosignatures
	k.sound()
	require.False(t, ask().OK)
	l = k.open()
	latest := load(t, k.dir)["latest"].Data
	_, err = l.Append(t.Context(), login("acme", "eve", 1)) // not one event is taken, nor a fork signed
	require.ErrorIs(t, err, translog.ErrTampered)
	require.ErrorIs(t, l.stop(), translog.ErrTampered)
	require.Equal(t, latest, load(t, k.dir)["latest"].Data)
}

func TestWithoutAQuorumNothingIsPublishedAndNothingLost(t *testing.T) {
	k := newKit(t)
	one, s1 := newWitness(t, "witness.example/1")
	two, s2 := newWitness(t, "witness.example/2")
	k.witnessed(2, map[*witness]*httptest.Server{one: s1, two: s2})
	k.policy.WitnessWait = 100 * time.Millisecond
	two.hangs = true
	l := k.open()
	r := k.append(l, "acme", "eve", 1)
	require.Eventually(t, func() bool { return l.Health().Errors["witness"] != "" }, 20*time.Second, 10*time.Millisecond)
	require.Nil(t, l.Checkpoint())
	require.Error(t, l.stop(), "the last checkpoint was not witnessed")
	two.mu.Lock()
	two.hangs = false
	two.mu.Unlock()
	l = k.open()
	_, err := l.Prove(t.Context(), r.Index)
	require.NoError(t, err)
	require.NoError(t, l.stop())
	k.sound()
}

func TestCheckpointThatWitnessesNeverSawIsNoDamage(t *testing.T) {
	k := newKit(t)
	one, s1 := newWitness(t, "witness.example/1")
	k.witnessed(1, map[*witness]*httptest.Server{one: s1})
	k.policy.WitnessWait = 100 * time.Millisecond
	l := k.open()
	k.append(l, "acme", "eve", 1)
	settle(t, l)
	one.mu.Lock()
	one.hangs = true
	one.mu.Unlock()
	for n := range 300 {
		k.append(l, "acme", "eve", n)
	}
	require.Error(t, l.stop(), "the last checkpoint was not witnessed")
	r := k.sound()
	require.GreaterOrEqual(t, r.Pending, uint64(300))

	// The power goes: what was never synced is lost, and the published checkpoint is proved all the same.
	for _, name := range []string{"tile/0/000.p", "tile/entries/000.p", "savepoint"} {
		require.NoError(t, os.RemoveAll(filepath.Join(k.dir, name)))
	}
	l = k.open()
	_, err := l.Prove(t.Context(), 0)
	require.NoError(t, err)
	require.NotEmpty(t, collect(t, l.View(reader, translog.TenantProfile()), translog.Query{Actions: []string{"console.login"}}))
	l.stop()
	k.sound()
}
