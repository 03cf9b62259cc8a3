package translog

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/subject"
)

func TestRoundThatStandsOnAFailedOneIsPlacedAgain(t *testing.T) {
	skey, vkey, err := checkpoint.GenerateKey("log.example/node1")
	require.NoError(t, err)
	signer, err := note.NewSigner(skey)
	require.NoError(t, err)
	trust, err := checkpoint.ParsePolicy(fmt.Sprintf("log %s\nquorum none\n", vkey))
	require.NoError(t, err)
	l, err := Open(t.TempDir(), Policy{Trust: trust}, Options{
		Signer: signer, Keys: subject.Memory(), Authorizer: opsec.CallerAuthorized{},
	})
	require.NoError(t, err)
	defer l.Close(t.Context())
	join := func() (*draft, *round) {
		e := opsec.NewEvent("console.login", time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC))
		e.Tenant, e.Outcome = "acme", opsec.Success
		d, err := l.draft(t.Context(), e)
		require.NoError(t, err)
		placed, r, err := l.join([]*draft{d})
		require.NoError(t, err)
		require.Equal(t, 1, placed)
		return d, r
	}
	_, failing := join()
	require.Same(t, failing, l.take())
	d, next := join()
	require.NotSame(t, failing, next)
	require.Equal(t, []uint64{1, 2}, []uint64{d.place.index, d.place.seq})

	why := errors.New("no room")
	l.settle(failing, why)
	<-failing.done
	<-next.done
	require.Equal(t, []error{why, errAgain}, []error{failing.err, next.err})

	placed, again, err := l.join([]*draft{d})
	require.NoError(t, err)
	require.Equal(t, 1, placed)
	require.Equal(t, []uint64{0, 1}, []uint64{d.place.index, d.place.seq}, "it is the first one now")
	require.Same(t, again, l.take())
	l.commitRound(again)
	require.NoError(t, again.err)
	require.Equal(t, uint64(1), l.journal.Size())
}
