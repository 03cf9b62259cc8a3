package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
)

// gatherer has these witnesses, and a clock that stands at noon.
func gatherer(t *testing.T, quorum string, witnesses ...*witness) *checkpoint.Gatherer {
	t.Helper()
	text := logLine(t, origin) + "\n"
	for _, w := range witnesses {
		text += w.line(t) + "\n"
	}
	p, err := checkpoint.ParsePolicy(text + quorum + "\n")
	require.NoError(t, err)
	g, err := checkpoint.NewGatherer(p, &checkpoint.Options{Now: func() time.Time { return noon }})
	require.NoError(t, err)
	return g
}

// one returns a witness as a policy has it.
func (w *witness) one(t *testing.T) checkpoint.Witness {
	return checkpoint.Witness{Name: w.as, Key: cosigner(t, w.as, noon).VerifierKey(), URL: w.url}
}

// hang answers nothing until the asker has gone.
func hang(_ http.ResponseWriter, r *http.Request) bool {
	<-r.Context().Done()
	return true
}

func noProof(uint64) ([]tlog.Hash, error) { return nil, errors.New("not needed") }

func TestWitnessesCosignAGrowingLog(t *testing.T) {
	a, b := newWitness(t, "a"), newWitness(t, "b")
	g := gatherer(t, "group g all a b\nquorum g", a, b)
	tr := growTree(t, 20, "")
	for _, n := range []int{1, 2, 7, 8, 20, 20} {
		got, err := g.Gather(t.Context(), tr.signed(t, n), tr.prover(n))
		require.NoError(t, err)
		require.EqualValues(t, n, got.Verified.Size)
		require.Equal(t, []checkpoint.Cosignature{{Name: "a", Time: noon}, {Name: "b", Time: noon}}, got.Verified.Cosigned)
		require.Empty(t, got.Failed)
		require.Len(t, sigLines(got.Signed), 3)
		v, err := policy(t, "a b", "group g all a b", "quorum g").Open(got.Signed, noon)
		require.NoError(t, err)
		require.Equal(t, got.Verified, v)
	}
	require.Equal(t, []string{"old 0", "old 1", "old 2", "old 7", "old 8", "old 20"}, a.asked(), "each from where it was, at the first try")
}

func TestWitnessThatIsFurtherThanRememberedIsAskedAgain(t *testing.T) {
	a := newWitness(t, "a")
	tr := growTree(t, 20, "")
	_, err := gatherer(t, "quorum a", a).Gather(t.Context(), tr.signed(t, 7), tr.prover(7))
	require.NoError(t, err)
	got, err := gatherer(t, "quorum a", a).Gather(t.Context(), tr.signed(t, 20), tr.prover(20)) // after a start
	require.NoError(t, err)
	require.EqualValues(t, 20, got.Verified.Size)
	_, err = gatherer(t, "quorum a", a).Gather(t.Context(), tr.signed(t, 20), noProof)
	require.NoError(t, err, "the same size again needs no proof")
	require.Equal(t, []string{"old 0", "old 0", "old 7", "old 0", "old 20"}, a.asked())
}

func TestRollbackIsReported(t *testing.T) {
	a, b := newWitness(t, "a"), newWitness(t, "b")
	tr := growTree(t, 20, "")
	g := gatherer(t, "group g all a b\nquorum g", a, b)
	_, err := g.Gather(t.Context(), tr.signed(t, 20), tr.prover(20))
	require.NoError(t, err)
	for name, g := range map[string]*checkpoint.Gatherer{"same process": g, "after a start": gatherer(t, "group g all a b\nquorum g", a, b)} {
		t.Run(name, func(t *testing.T) {
			got, err := g.Gather(t.Context(), tr.signed(t, 7), tr.prover(7))
			var ahead *checkpoint.AheadError
			require.ErrorAs(t, err, &ahead)
			require.EqualValues(t, 20, ahead.Size)
			require.ErrorIs(t, err, checkpoint.ErrUntrusted)
			var short *checkpoint.QuorumError
			require.ErrorAs(t, err, &short)
			require.Len(t, short.Failed, 2)
			require.Equal(t, short.Failed, got.Failed)
			require.ErrorContains(t, err, "has last cosigned size 20")
		})
	}
}

func TestForkIsReported(t *testing.T) {
	a := newWitness(t, "a")
	tr, fork := growTree(t, 20, ""), growTree(t, 20, "fork")
	_, err := gatherer(t, "quorum a", a).Gather(t.Context(), tr.signed(t, 7), tr.prover(7))
	require.NoError(t, err)
	for _, n := range []int{7, 8, 20} {
		_, err = gatherer(t, "quorum a", a).Gather(t.Context(), fork.signed(t, n), fork.prover(n))
		require.ErrorIs(t, err, checkpoint.ErrInconsistent, "size %d", n)
	}
	a.change(func(w *witness) { require.EqualValues(t, 7, w.size) })
}

// TestForkOfTheSameSizeIsReported: a witness answers 409 there, with the size that it was asked from.
func TestForkOfTheSameSizeIsReported(t *testing.T) {
	a := newWitness(t, "a")
	g := gatherer(t, "quorum a", a)
	_, err := g.Gather(t.Context(), growTree(t, 9, "").signed(t, 9), noProof)
	require.NoError(t, err)
	fork := growTree(t, 9, "another ")
	for _, g := range []*checkpoint.Gatherer{g, gatherer(t, "quorum a", a)} { // the second one does not know the size yet
		_, err := g.Gather(t.Context(), fork.signed(t, 9), noProof)
		require.ErrorIs(t, err, checkpoint.ErrInconsistent)
	}

	a.change(func(w *witness) {
		w.instead = func(rw http.ResponseWriter, _ *http.Request) bool {
			http.Error(rw, "0", http.StatusConflict)
			return true
		}
	})
	_, err = gatherer(t, "quorum a", a).Gather(t.Context(), fork.signed(t, 9), noProof)
	require.NotErrorIs(t, err, checkpoint.ErrInconsistent, "it says nothing of a tree of that size")
}

func TestHungWitnessDoesNotHoldUpTheOthers(t *testing.T) {
	a, b, c := newWitness(t, "a"), newWitness(t, "b"), newWitness(t, "c")
	c.instead = hang
	tr := growTree(t, 4, "")
	got, err := gatherer(t, "group g 2 a b c\nquorum g", a, b, c).Gather(t.Context(), tr.signed(t, 4), noProof)
	require.NoError(t, err)
	require.Len(t, got.Verified.Cosigned, 2)
	require.Empty(t, got.Failed, "given up by us is no failure of its own")

	// Where the quorum needs it, the deadline ends it, and what the others said is kept.
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	got, err = gatherer(t, "group g all a b c\nquorum g", a, b, c).Gather(ctx, tr.signed(t, 4), noProof)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, checkpoint.ErrUntrusted)
	require.Len(t, got.Verified.Cosigned, 2)
	require.Len(t, got.Failed, 1)
	require.Equal(t, "c", got.Failed[0].Name)
	require.Len(t, sigLines(got.Signed), 3)

	// Later, only the missing one is asked.
	c.change(func(w *witness) { w.instead = nil })
	before := len(a.asked())
	got, err = gatherer(t, "group g all a b c\nquorum g", a, b, c).Gather(t.Context(), got.Signed, noProof)
	require.NoError(t, err)
	require.Len(t, got.Verified.Cosigned, 3)
	require.Len(t, a.asked(), before)
	c.change(func(w *witness) {
		require.Len(t, w.bodies, 1)
		require.NotContains(t, w.bodies[0], "witness.example/", "what others signed is none of its business, and makes the request longer")
	})
}

func TestClientTimeoutBoundsEachRequest(t *testing.T) {
	a := newWitness(t, "a")
	a.instead = func(rw http.ResponseWriter, r *http.Request) bool { // headers come, the body never
		rw.WriteHeader(http.StatusOK)
		rw.(http.Flusher).Flush()
		return hang(rw, r)
	}
	_, err := a.one(t).Cosign(t.Context(), &http.Client{Timeout: 50 * time.Millisecond}, 0, nil, growTree(t, 1, "").signed(t, 1))
	var timeout interface{ Timeout() bool }
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())

	var deadline time.Time
	look := roundTrip(func(r *http.Request) (*http.Response, error) {
		deadline, _ = r.Context().Deadline()
		return nil, errors.New("looked")
	})
	for timeout, at := range map[time.Duration]time.Duration{0: 10 * time.Second, time.Hour: time.Hour} {
		before := time.Now()
		_, err = a.one(t).Cosign(t.Context(), &http.Client{Timeout: timeout, Transport: look}, 0, nil, growTree(t, 1, "").signed(t, 1))
		require.ErrorContains(t, err, "looked")
		require.False(t, deadline.Before(before.Add(at)) || deadline.After(time.Now().Add(at)))
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestQuorumThatStandsAsksNobody(t *testing.T) {
	a := newWitness(t, "a")
	tr := growTree(t, 4, "")
	got, err := gatherer(t, "quorum none", a).Gather(t.Context(), tr.signed(t, 4), noProof)
	require.NoError(t, err)
	require.Equal(t, tr.signed(t, 4), got.Signed)
	got, err = gatherer(t, "quorum a", a).Gather(t.Context(), tr.signed(t, 4, cosigner(t, "a", noon)), noProof)
	require.NoError(t, err)
	require.Len(t, got.Verified.Cosigned, 1)
	require.Empty(t, a.asked())
}

// TestOldCopyIsFoundByRefresh restores a log with the cosignatures that it had then: all of it verifies, offline.
func TestOldCopyIsFoundByRefresh(t *testing.T) {
	a, b, c := newWitness(t, "a"), newWitness(t, "b"), newWitness(t, "c")
	tr := growTree(t, 20, "")
	g := gatherer(t, "group g 2 a b c\nquorum g", a, b, c)
	old, err := g.Refresh(t.Context(), tr.signed(t, 7), tr.prover(7))
	require.NoError(t, err)
	require.Len(t, old.Verified.Cosigned, 3, "all, not only as many as needed")
	_, err = g.Refresh(t.Context(), tr.signed(t, 20), tr.prover(20))
	require.NoError(t, err)

	_, err = g.Gather(t.Context(), old.Signed, tr.prover(7))
	require.NoError(t, err, "the quorum of the old copy stands")
	got, err := g.Refresh(t.Context(), old.Signed, tr.prover(7))
	var ahead *checkpoint.AheadError
	require.ErrorAs(t, err, &ahead)
	require.EqualValues(t, 20, ahead.Size)
	require.Empty(t, got.Verified.Cosigned)
	require.Len(t, got.Failed, 3)

	// One witness was rebuilt and knows less, so the others outvote nobody: what each said is there.
	a.change(func(w *witness) { w.size = 0 })
	b.change(func(w *witness) { w.size = 0 })
	got, err = g.Refresh(t.Context(), old.Signed, tr.prover(7))
	require.NoError(t, err)
	require.Len(t, got.Failed, 1)
	require.ErrorAs(t, got.Failed[0], &ahead)
	require.Equal(t, "c", got.Failed[0].Name)
}

// TestOldAnswerIsNoRefresh restores a log, and answers for the witness what it said then: it has seen more since.
func TestOldAnswerIsNoRefresh(t *testing.T) {
	const skew = checkpoint.MaxSkew
	for _, tc := range []struct {
		age  time.Duration
		good bool
	}{{0, true}, {skew, true}, {skew + time.Second, false}, {24 * time.Hour, false}} {
		a := newWitness(t, "a")
		tr := growTree(t, 20, "")
		g := gatherer(t, "quorum a", a)
		old := tr.signed(t, 7, cosigner(t, "a", noon.Add(-tc.age)))
		said := sigLines(old)[1] + "\n"
		a.change(func(w *witness) {
			w.instead = func(rw http.ResponseWriter, _ *http.Request) bool {
				io.WriteString(rw, said)
				return true
			}
		})
		got, err := g.Refresh(t.Context(), old, tr.prover(7))
		if tc.good {
			require.NoError(t, err, tc.age)
			continue
		}
		var short *checkpoint.QuorumError
		require.ErrorAs(t, err, &short, tc.age)
		require.ErrorIs(t, got.Failed[0], checkpoint.ErrUntrusted)
		require.Empty(t, got.Verified.Cosigned)

		_, err = g.Gather(t.Context(), tr.signed(t, 7), tr.prover(7))
		require.NoError(t, err, "what nobody has cosigned yet may have been, before an answer was lost")
	}
}

func TestRefreshReplacesCosignatures(t *testing.T) {
	a, b := newWitness(t, "a"), newWitness(t, "b")
	tr := growTree(t, 4, "")
	g := gatherer(t, "group g all a b\nquorum g", a, b)
	stranger := cosigner(t, "stranger", noon)
	got, err := g.Refresh(t.Context(), tr.signed(t, 4, cosigner(t, "a", noon.Add(-time.Hour)), stranger), noProof)
	require.NoError(t, err)
	require.Equal(t, []checkpoint.Cosignature{{Name: "a", Time: noon}, {Name: "b", Time: noon}}, got.Verified.Cosigned)
	require.Len(t, sigLines(got.Signed), 4, "the log's, the stranger's, and two new ones")
	a.change(func(w *witness) {
		require.NotEmpty(t, w.bodies)
		for _, body := range w.bodies {
			require.NotContains(t, body, "witness.example/a", "a witness is not sent what it knows")
		}
		w.deaf = true
	})
	got, err = g.Refresh(t.Context(), got.Signed, noProof)
	require.ErrorIs(t, err, checkpoint.ErrUntrusted, "the old one does not stand in for it")
	require.Len(t, got.Failed, 1)

	_, err = g.Refresh(t.Context(), []byte("garbage"), noProof)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestRefreshAsksEvenWhereNoQuorumNeedsIt(t *testing.T) {
	a, b := newWitness(t, "a"), newWitness(t, "b")
	b.deaf = true
	got, err := gatherer(t, "quorum none", a, b).Refresh(t.Context(), growTree(t, 4, "").signed(t, 4), noProof)
	require.NoError(t, err)
	require.Len(t, got.Verified.Cosigned, 1)
	require.Equal(t, "b", got.Failed[0].Name)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err = gatherer(t, "quorum none", a, b).Refresh(ctx, growTree(t, 4, "").signed(t, 4), noProof)
	require.NoError(t, err)
	require.Len(t, got.Failed, 2, "those who were not asked in time are named")
}

func TestWhatIsNotOursIsNotSent(t *testing.T) {
	a := newWitness(t, "a")
	c := growTree(t, 1, "").at(t, 1)
	c.Origin = "audit.example/us-1"
	foreign, err := c.Sign(logSigner(t, c.Origin))
	require.NoError(t, err)
	got, err := gatherer(t, "quorum a", a).Gather(t.Context(), foreign, noProof)
	var unsigned *checkpoint.UnsignedError
	require.ErrorAs(t, err, &unsigned)
	require.Zero(t, got)
	_, err = gatherer(t, "quorum a", a).Gather(t.Context(), []byte("garbage"), noProof)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.Empty(t, a.asked())
}

func TestProofThatCannotBeMadeFailsThatWitnessAlone(t *testing.T) {
	a, b := newWitness(t, "a"), newWitness(t, "b")
	tr := growTree(t, 20, "")
	_, err := gatherer(t, "quorum a", a).Gather(t.Context(), tr.signed(t, 7), tr.prover(7))
	require.NoError(t, err)
	lost := errors.New("tile is gone")
	got, err := gatherer(t, "group g all a b\nquorum g", a, b).Gather(t.Context(), tr.signed(t, 20), func(uint64) ([]tlog.Hash, error) { return nil, lost })
	require.ErrorIs(t, err, lost)
	require.Equal(t, "b", got.Verified.Cosigned[0].Name)
}

func TestProofIsMadeOnceForAllAndOneAtATime(t *testing.T) {
	a, b, c := newWitness(t, "a"), newWitness(t, "b"), newWitness(t, "c")
	tr := growTree(t, 20, "")
	g := gatherer(t, "group g all a b c\nquorum g", a, b, c)
	_, err := g.Gather(t.Context(), tr.signed(t, 7), tr.prover(7))
	require.NoError(t, err)
	var calls, inside atomic.Int32
	_, err = g.Gather(t.Context(), tr.signed(t, 20), func(old uint64) ([]tlog.Hash, error) {
		calls.Add(1)
		require.EqualValues(t, 1, inside.Add(1))
		defer inside.Add(-1)
		return tr.prover(20)(old)
	})
	require.NoError(t, err)
	require.EqualValues(t, 1, calls.Load())
}

func TestWitnessWithAClockAheadIsNotCounted(t *testing.T) {
	a := newWitness(t, "a")
	a.now = noon.Add(time.Hour)
	got, err := gatherer(t, "quorum a", a).Gather(t.Context(), growTree(t, 1, "").signed(t, 1), noProof)
	require.ErrorIs(t, err, checkpoint.ErrUntrusted)
	require.Len(t, sigLines(got.Signed), 1, "nor is what it signed published")
	require.ErrorContains(t, err, "2026-11-25T13:00:00Z")
}

func TestAnswersOfBadWitnesses(t *testing.T) {
	tr := growTree(t, 4, "")
	signed := tr.signed(t, 4)
	write := func(status int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(rw http.ResponseWriter, _ *http.Request) bool {
			rw.WriteHeader(status)
			io.WriteString(rw, body)
			return true
		}
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	line := cosignature(t, tr, 4, cosigner(t, "a", noon)) + "\n"

	for name, c := range map[string]struct {
		answer  func(http.ResponseWriter, *http.Request) bool
		is      error
		status  int // of a RefusedError
		contain string
	}{
		"other checkpoint": {answer: write(200, cosignature(t, tr, 3, cosigner(t, "a", noon))+"\n"), is: checkpoint.ErrUntrusted, contain: "does not verify"},
		"other key":        {answer: write(200, cosignature(t, tr, 4, cosigner(t, "b", noon))+"\n"), is: checkpoint.ErrUntrusted, contain: "no cosignature"},
		"nothing":          {answer: write(200, ""), is: opsec.ErrInvalid},
		"a page":           {answer: write(200, "<html>"), is: opsec.ErrInvalid},
		"a whole note":     {answer: write(200, string(signed)+line), is: opsec.ErrInvalid},
		"no newline":       {answer: write(200, strings.TrimSpace(line)), is: opsec.ErrInvalid},
		"flood":            {answer: write(200, strings.Repeat(line, 1000)), contain: "more than 65536 bytes"},
		"flood of errors":  {answer: write(500, strings.Repeat("x", 1<<20)), contain: "more than 65536 bytes"},
		"redirect": {answer: func(rw http.ResponseWriter, r *http.Request) bool {
			http.Redirect(rw, r, elsewhere.URL, http.StatusTemporaryRedirect)
			return true
		}, status: 307},
		"unknown log":         {answer: write(404, "unknown log\n"), is: opsec.ErrNotFound, status: 404},
		"unknown key":         {answer: write(403, ""), is: opsec.ErrDenied, status: 403},
		"bad request":         {answer: write(400, ""), is: opsec.ErrInvalid, status: 400},
		"inconsistent":        {answer: write(422, ""), is: checkpoint.ErrInconsistent, status: 422},
		"out of order":        {answer: write(503, strings.Repeat("x", 1000)), status: 503},
		"not text":            {answer: write(503, "\xff\n"), status: 503, contain: `"?\n"`},
		"carriage return":     {answer: write(200, strings.TrimSpace(line)+"\r\n"), is: opsec.ErrInvalid},
		"conflict, no number": {answer: write(409, "conflict\n"), status: 409},
		"conflict, no line":   {answer: write(409, "3"), status: 409},
		"conflict, zero":      {answer: write(409, "03\n"), status: 409},
		"conflict, negative":  {answer: write(409, "-3\n"), status: 409},
		"conflict, far":       {answer: write(409, "18446744073709551615\n"), contain: "size 18446744073709551615"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newWitness(t, "a")
			a.instead = c.answer
			got, err := a.one(t).Cosign(t.Context(), nil, 0, nil, signed)
			require.Error(t, err)
			require.Empty(t, got)
			check := func(err error) {
				if c.is != nil {
					require.ErrorIs(t, err, c.is)
				}
				var refused *checkpoint.RefusedError
				if c.status != 0 {
					require.ErrorAs(t, err, &refused)
					require.Equal(t, c.status, refused.Status)
					require.LessOrEqual(t, len(refused.Reason), 200)
				} else {
					require.False(t, errors.As(err, &refused))
				}
				require.ErrorContains(t, err, c.contain)
			}
			check(err)
			gathered, err := gatherer(t, "quorum a", a).Gather(t.Context(), signed, noProof)
			require.ErrorIs(t, err, checkpoint.ErrUntrusted)
			check(err)
			require.Equal(t, signed, gathered.Signed)
		})
	}
	t.Run("more lines than its own", func(t *testing.T) {
		a := newWitness(t, "a")
		a.instead = write(200, cosignature(t, tr, 3, cosigner(t, "b", noon))+"\n"+line+cosignature(t, tr, 4, logSigner(t, "x")))
		got, err := a.one(t).Cosign(t.Context(), nil, 0, nil, signed)
		require.ErrorIs(t, err, opsec.ErrInvalid, "the last one does not end")
		require.Empty(t, got)
		a.instead = write(200, cosignature(t, tr, 3, cosigner(t, "b", noon))+"\n"+line)
		got, err = a.one(t).Cosign(t.Context(), nil, 0, nil, signed)
		require.NoError(t, err)
		require.Equal(t, line, string(got), "those of others are not taken over")
	})
}

func TestWitnessThatAlwaysConflictsIsGivenUp(t *testing.T) {
	a := newWitness(t, "a")
	var asked atomic.Int32
	a.instead = func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.WriteHeader(http.StatusConflict)
		fmt.Fprintf(rw, "%d\n", asked.Add(1))
		return true
	}
	tr := growTree(t, 20, "")
	_, err := gatherer(t, "quorum a", a).Gather(t.Context(), tr.signed(t, 20), tr.prover(20))
	var ahead *checkpoint.AheadError
	require.False(t, errors.As(err, &ahead), "it is no further than we are")
	require.ErrorContains(t, err, "contradicts itself")
	require.EqualValues(t, 3, asked.Load())
}

func TestNonsenseIsNotSentToAWitness(t *testing.T) {
	a := newWitness(t, "a")
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked") }))
	t.Cleanup(srv.Close)
	a.url = srv.URL
	signed := growTree(t, 4, "").signed(t, 4)
	hashes := make([]tlog.Hash, 1)
	ask := func(w checkpoint.Witness, old uint64, proof []tlog.Hash, signed []byte) error {
		_, err := w.Cosign(t.Context(), nil, old, proof, signed)
		return err
	}
	good := a.one(t)
	for name, err := range map[string]error{
		"old past the size":         ask(good, 5, nil, signed),
		"proof from nothing":        ask(good, 0, hashes, signed),
		"proof of the same":         ask(good, 4, hashes, signed),
		"64 hashes":                 ask(good, 2, make([]tlog.Hash, 64), signed),
		"garbage":                   ask(good, 0, nil, []byte("garbage")),
		"another note":              ask(good, 0, nil, []byte(noteExample)),
		"no key":                    ask(checkpoint.Witness{URL: a.url}, 0, nil, signed),
		"no URL":                    ask(checkpoint.Witness{Key: good.Key}, 0, nil, signed),
		"URL of a file":             ask(checkpoint.Witness{Key: good.Key, URL: "file:///etc/passwd"}, 0, nil, signed),
		"URL without a host":        ask(checkpoint.Witness{Key: good.Key, URL: "https:///x"}, 0, nil, signed),
		"URL with a query":          ask(checkpoint.Witness{Key: good.Key, URL: a.url + "?x=1"}, 0, nil, signed),
		"URL that does not parse":   ask(checkpoint.Witness{Key: good.Key, URL: "http://a b"}, 0, nil, signed),
		"URL that is only a prefix": ask(checkpoint.Witness{Key: good.Key, URL: "audit.example/w"}, 0, nil, signed),
	} {
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
	p := policy(t, "a", "quorum none")
	p.Witnesses[0].URL = "gopher://x"
	_, err := checkpoint.NewGatherer(p, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestWitnessThatIsDownIsNamed(t *testing.T) {
	w := newWitness(t, "a").one(t)
	srv := httptest.NewServer(nil)
	w.URL = srv.URL
	srv.Close()
	_, err := w.Cosign(t.Context(), nil, 0, nil, growTree(t, 1, "").signed(t, 1))
	var dial *url.Error
	require.ErrorAs(t, err, &dial)
}

func TestSubmissionPrefixMayEndInASlash(t *testing.T) {
	a := newWitness(t, "a")
	w := a.one(t)
	w.URL += "/"
	_, err := w.Cosign(t.Context(), nil, 0, nil, growTree(t, 1, "").signed(t, 1))
	require.NoError(t, err)
}
