package envelope_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/envelope"
)

func named(t testing.TB, tenant, what string) keymgmt.Context {
	t.Helper()
	c, err := keymgmt.NewContext("tenant", tenant, "what", what)
	require.NoError(t, err)
	return c
}

func over(t testing.TB, kek envelope.Wrapper, l envelope.Limits, o *envelope.Options) *envelope.Envelope {
	t.Helper()
	e, err := envelope.New(kek, l, o)
	require.NoError(t, err)
	return e
}

// roomy limits bound nothing but the age.
func roomy(age time.Duration) envelope.Limits {
	return envelope.Limits{Age: age, Messages: envelope.MaxMessages, Bytes: 1 << 60, Entries: 1000, Memory: 16 << 20}
}
