package lifecycle_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
)

// deserted is a keyset with a key-encryption key of its own, whose keys are destroyed.
func deserted(t *testing.T) *house {
	h := open(t)
	h.create(t, func(s *keymgmt.Keyset) { s.Custodian = "" })
	k := h.rotate(t)
	_, err := h.Schedule(bg, admin, k.Ref)
	require.NoError(t, err)
	h.pass(72 * time.Hour)
	_, err = h.ForceDestroy(bg, admin, k.Ref)
	require.NoError(t, err)
	return h
}

func TestAKeyThatComesWhileAKeysetIsRetiredKeepsIt(t *testing.T) {
	h := deserted(t)
	m := h.over(t, &racing{Repository: h.repo, race: func() { h.rotate(t) }})
	_, err := m.Retire(bg, admin, setID)
	require.ErrorIs(t, err, lifecycle.ErrChanged)
	require.Contains(t, h.custodian.keys, "acme/volumes")
}

func TestNoKeyComesToAKeysetThatIsRetiredMeanwhile(t *testing.T) {
	h := deserted(t)
	m := h.over(t, &racing{Repository: h.repo, n: 1, race: func() {
		_, err := h.Retire(bg, admin, setID)
		require.NoError(t, err)
	}})
	_, err := m.Rotate(bg, admin, setID)
	require.ErrorContains(t, err, "retired")
	require.Zero(t, h.primary(t))
}
