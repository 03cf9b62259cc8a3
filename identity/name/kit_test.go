package name_test

import (
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/name"
)

func preset(t *testing.T, of string) name.Policy {
	t.Helper()
	p, err := name.Preset(of)
	require.NoError(t, err)
	return p
}

// refused returns why err refuses.
func refused(t *testing.T, err error) *name.Refused {
	t.Helper()
	require.ErrorIs(t, err, opsec.ErrInvalid)
	var r *name.Refused
	require.ErrorAs(t, err, &r)
	return r
}

// texts are of letters, digits, marks and trouble of several scripts.
func texts(most int) *rapid.Generator[string] {
	runes := []rune("abcilmnorsvwxyz0123456789ABCIMıİßæéöŁàавеорсухіАВЕЅκαοςσΣβאבגשابتي٠١٢۰۱東京あアーー가나กาिकxͅ" +
		"\u0301\u0307\u0308\u0323\u0345\u0e48._-'·@\u200b\u200c\u200d\u202e\u2066\ufe0f\u00adａｂ１ﾊﾞｶﾞⅣ∞ ﬁ\U0001F600\U00010400")
	return rapid.StringOfN(rapid.OneOf(rapid.SampledFrom(runes), rapid.Rune()), 0, most, -1)
}

// characters are those of the planes that have any, without private use.
func characters(yield func(rune) bool) {
	for r := rune(0); r < 0xe1000; r++ {
		if r == 0x32000 {
			r = 0xe0000
		}
		if !unicode.Is(unicode.Co, r) && !yield(r) {
			return
		}
	}
}
