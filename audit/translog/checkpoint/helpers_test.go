package checkpoint_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
)

const origin = "audit.example/eu-1"

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// private makes a key that is the same in every run.
func private(seed string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(sum[:])
}

func logSigner(t testing.TB, name string) *checkpoint.Signer {
	t.Helper()
	s, err := checkpoint.NewSigner(name, private("log "+name))
	require.NoError(t, err)
	return s
}

// cosigner makes the key of the witness that a policy calls so.
func cosigner(t testing.TB, as string, at time.Time) *checkpoint.Signer {
	t.Helper()
	s, err := checkpoint.NewCosigner("witness.example/"+as, private("witness "+as), func() time.Time { return at })
	require.NoError(t, err)
	return s
}

// policy has the log of origin and these witnesses, and what the lines add.
func policy(t testing.TB, witnesses string, lines ...string) checkpoint.Policy {
	t.Helper()
	text := "log " + logSigner(t, origin).VerifierKey() + "\n"
	for _, as := range strings.Fields(witnesses) {
		text += "witness " + as + " " + cosigner(t, as, noon).VerifierKey() + "\n"
	}
	p, err := checkpoint.ParsePolicy(text + strings.Join(lines, "\n") + "\n")
	require.NoError(t, err)
	return p
}

// tree is a Merkle tree in memory.
type tree struct{ hashes []tlog.Hash }

func (tr *tree) ReadHashes(at []int64) ([]tlog.Hash, error) {
	var hs []tlog.Hash
	for _, i := range at {
		hs = append(hs, tr.hashes[i])
	}
	return hs, nil
}

// growTree returns a tree of the entries "0", "1", ... after a prefix that tells it from others.
func growTree(t testing.TB, n int, prefix string) *tree {
	t.Helper()
	tr := &tree{}
	for i := range n {
		hs, err := tlog.StoredHashes(int64(i), entry(prefix, i), tr)
		require.NoError(t, err)
		tr.hashes = append(tr.hashes, hs...)
	}
	return tr
}

func entry(prefix string, i int) []byte { return []byte(prefix + strconv.Itoa(i)) }

func (tr *tree) at(t testing.TB, n int) checkpoint.Checkpoint {
	t.Helper()
	root, err := tlog.TreeHash(int64(n), tr)
	require.NoError(t, err)
	return checkpoint.Checkpoint{Origin: origin, Size: uint64(n), Root: root}
}

func (tr *tree) signed(t testing.TB, n int, also ...note.Signer) []byte {
	t.Helper()
	signed, err := tr.at(t, n).Sign(append([]note.Signer{logSigner(t, origin)}, also...)...)
	require.NoError(t, err)
	return signed
}

// prover makes the consistency proofs to size n.
func (tr *tree) prover(n int) func(old uint64) ([]tlog.Hash, error) {
	return func(old uint64) ([]tlog.Hash, error) { return tlog.ProveTree(int64(n), int64(old), tr) }
}

// witness is a small one, written from C2SP tlog-witness over sumdb alone.
type witness struct {
	as  string
	url string

	mu       sync.Mutex
	size     int64
	root     tlog.Hash
	requests []string                                          // old lines
	instead  func(w http.ResponseWriter, r *http.Request) bool // answers in its place
	bodies   []string
	deaf     bool // answers 503
	now      time.Time
}

// change sets what the witness does from now on.
func (w *witness) change(f func(w *witness)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(w)
}

func newWitness(t testing.TB, as string) *witness {
	t.Helper()
	w := &witness{as: as, now: noon}
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.serve(t, rw, r) }))
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}

func (w *witness) line(t testing.TB) string {
	return fmt.Sprintf("witness %s %s %s", w.as, cosigner(t, w.as, noon).VerifierKey(), w.url)
}

func (w *witness) asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests
}

func (w *witness) serve(t testing.TB, rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/add-checkpoint" {
		http.Error(rw, "what?", http.StatusBadRequest)
		return
	}
	w.mu.Lock()
	instead := w.instead
	w.mu.Unlock()
	if instead != nil && instead(rw, r) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bodies = append(w.bodies, string(body)); w.deaf {
		http.Error(rw, "out of order", http.StatusServiceUnavailable)
		return
	}
	head, signed, _ := strings.Cut(string(body), "\n\n")
	lines := strings.Split(head, "\n")
	w.requests = append(w.requests, lines[0])
	old, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if err != nil {
		http.Error(rw, "old size", http.StatusBadRequest)
		return
	}
	var proof tlog.TreeProof
	for _, l := range lines[1:] {
		h, err := tlog.ParseHash(l)
		if err != nil {
			http.Error(rw, "hash", http.StatusBadRequest)
			return
		}
		proof = append(proof, h)
	}
	v, err := note.NewVerifier(logSigner(t, origin).VerifierKey())
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	n, err := note.Open([]byte(signed), note.VerifierList(v))
	if err != nil {
		http.Error(rw, "signature", http.StatusForbidden)
		return
	}
	c, err := tlog.ParseTree([]byte(strings.Replace(n.Text, origin, "go.sum database tree", 1)))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	switch {
	case old != w.size, old == c.N && c.Hash != w.root:
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		fmt.Fprintf(rw, "%d\n", w.size)
		return
	case old == 0 && len(proof) > 0, old > 0 && tlog.CheckTree(proof, c.N, c.Hash, old, w.root) != nil:
		http.Error(rw, "consistency proof", http.StatusUnprocessableEntity)
		return
	}
	w.size, w.root = c.N, c.Hash
	cosigned, err := note.Sign(&note.Note{Text: n.Text}, cosigner(t, w.as, w.now))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	_, line, _ := strings.Cut(string(cosigned), "\n\n")
	io.WriteString(rw, line)
}
