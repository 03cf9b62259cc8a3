package secret_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/identity/password/secret"
)

func TestPopularPINsAreRefused(t *testing.T) {
	p := secret.PIN{Min: 4, Max: 8}
	for _, s := range []string{
		"1111", "1234", "4321", "7890", "9012", "2580", "0852", "1212", "1122", "1221", "1987", "2004", "1225", "2512", "3112", "0229",
		"000000", "123456", "654321", "121212", "123123", "112233", "123321", "251287", "122587", "871225", "198712", "121987",
		"25121987", "12251987", "19871225", "12341234", "11223344",
		"1357", "2468", "147258", "789456", "159753", "123654", "456789", "741852", "147852",
	} {
		_, _, err := p.Enroll(digits(s))
		w := weak(t, err)
		require.Equal(t, secret.KindPIN, w.Kind)
		require.NotContains(t, err.Error(), s)
	}
	for _, s := range []string{"2719", "8068", "4417", "271839", "940638", "62718390"} {
		_, _, err := p.Enroll(digits(s))
		require.NoError(t, err, s)
	}
}

func TestATenthOfAllPINsIsRefused(t *testing.T) {
	p, refused := secret.PIN{Min: 4, Max: 4}, 0
	for n := range 10_000 {
		if _, _, err := p.Enroll(digits(fmt.Sprintf("%04d", n))); err != nil {
			require.Equal(t, uint64(1000), weak(t, err).Least)
			refused++
		}
	}
	require.InDelta(t, 1000, refused, 100)
}

func TestPINIsReadExactly(t *testing.T) {
	for _, bad := range []string{"", "123", "123456789", "12a4", "12 4", "12.4", "１234", "-123"} {
		_, err := pin.Read(digits(bad))
		require.ErrorIs(t, err, secret.ErrEntry, bad)
	}
	require.False(t, read(t, pin, digits("0123")).Equal(read(t, pin, digits("00123"))))
	_, err := pin.Read(secret.Entry{PIN: []byte("2718"), Nodes: []int{1}})
	require.ErrorIs(t, err, secret.ErrEntry)
}
