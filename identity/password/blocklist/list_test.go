package blocklist_test

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/password/blocklist"
)

func ExampleFromPwned() {
	// Two lines of such a file; the second password has been seen only twice.
	file := fmt.Sprintf("%X:9545824\n%X:2\n", sha1.Sum([]byte("password")), sha1.Sum([]byte("a bicycle in the attic")))
	list, err := blocklist.FromPwned(strings.NewReader(file), &blocklist.Options{LeastCount: 10})
	if err != nil {
		panic(err)
	}
	fmt.Println(list.Count(), list.Contains("password"), list.Contains("a bicycle in the attic"))
	// Output: 1 true false
}

func ExampleFromWords() {
	list, err := blocklist.FromWords(strings.NewReader("opsec\ncloudopsec\n"), nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(list.Contains("CloudOpsec"), list.Contains("CloudOps"))
	// Output: true false
}

func ExampleDefault() {
	list, err := blocklist.Default()
	if err != nil {
		panic(err)
	}
	fmt.Println(list.Contains("Password1"), list.Contains("qwertyuiop"), list.Contains("nine otters knit quietly"))
	// Output: true true false
}

func ExampleRead() {
	made, _ := blocklist.FromWords(strings.NewReader("sesame\n"), &blocklist.Options{Bits: 8})
	var file bytes.Buffer
	if _, err := made.WriteTo(&file); err != nil {
		panic(err)
	}
	read, err := blocklist.Read(&file)
	if err != nil {
		panic(err)
	}
	fmt.Println(read.Kind(), read.Count(), read.Bits(), read.Contains("Sesame"))
	// Output: words 1 8 true
}

func TestWhatWasPutInIsFoundInAnyCase(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[A-Za-zÀ-ÿΑ-ω0-9 ßﬁＡ]{1,12}`), 1, 50).Draw(t, "words")
		bits := rapid.SampledFrom([]int{8, 16}).Draw(t, "bits")
		list, err := blocklist.FromWords(strings.NewReader(strings.Join(words, "\n")), &blocklist.Options{Bits: bits})
		require.NoError(t, err)
		for _, w := range words {
			require.True(t, list.Contains(w))
			require.True(t, list.Contains(strings.ToLower(w)), "%q", w)
			require.True(t, list.Contains(strings.ToUpper(w)), "%q", w)
		}
	})
}

func TestTheMarkThatBeginsAFileIsNoPartOfThePassword(t *testing.T) {
	list, err := blocklist.FromWords(strings.NewReader("\ufeffpassword\r\n letmein \r\n"), nil)
	require.NoError(t, err)
	require.Equal(t, 2, list.Count())
	for text, want := range map[string]bool{"password": true, " letmein ": true, "letmein": false} {
		require.Equal(t, want, list.Contains(text), "%q", text)
	}
}

func TestPwnedIsExact(t *testing.T) {
	file := fmt.Sprintf("%x:3\r\n%X:7\n", sha1.Sum([]byte("hunter2")), sha1.Sum([]byte("пароль")))
	list, err := blocklist.FromPwned(strings.NewReader(strings.ReplaceAll(file, "\r", "")), nil)
	require.NoError(t, err)
	require.True(t, list.Contains("hunter2"))
	require.True(t, list.Contains("пароль"))
	require.False(t, list.Contains("Hunter2"))
	require.Equal(t, blocklist.Pwned, list.Kind())
	// Windows ends of lines, as the published files have them
	list, err = blocklist.FromPwned(strings.NewReader(file), nil)
	require.NoError(t, err)
	require.Equal(t, 2, list.Count())
}

// One in 2^bits of what was not put in is found: with so many tries, within five standard deviations.
func TestFalsePositivesAreThoseOfTheTheory(t *testing.T) {
	var words strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&words, "in %d\n", i)
	}
	for bits, tries := range map[int]int{8: 1 << 16, 16: 1 << 19} {
		list, err := blocklist.FromWords(strings.NewReader(words.String()), &blocklist.Options{Bits: bits})
		require.NoError(t, err)
		require.Equal(t, 20_000, list.Count())
		found := 0
		for i := range tries {
			if list.Contains(fmt.Sprintf("out %d", i)) {
				found++
			}
		}
		want := float64(tries) / math.Exp2(float64(bits))
		require.InDelta(t, want, found, 5*math.Sqrt(want), "%d bits", bits)
	}
}

func TestTheSameSetGivesTheSameBytes(t *testing.T) {
	write := func(text string) []byte {
		list, err := blocklist.FromWords(strings.NewReader(text), nil)
		require.NoError(t, err)
		var out bytes.Buffer
		n, err := list.WriteTo(&out)
		require.NoError(t, err)
		require.EqualValues(t, out.Len(), n)
		return out.Bytes()
	}
	require.Equal(t, write("one\ntwo\nthree\n"), write("Three\n\nTWO\none\none"))
	require.NotEqual(t, write("one\n"), write("two\n"))
}

func TestBuildersRefuseWhatTheyCannotRead(t *testing.T) {
	digest := strings.Repeat("0", 40)
	for name, build := range map[string]func() error{
		"no colon":  func() error { _, err := blocklist.FromPwned(strings.NewReader(digest), nil); return err },
		"ntlm":      func() error { _, err := blocklist.FromPwned(strings.NewReader(digest[:32]+":1"), nil); return err },
		"not hex":   func() error { _, err := blocklist.FromPwned(strings.NewReader(digest[:39]+"g:1"), nil); return err },
		"no count":  func() error { _, err := blocklist.FromPwned(strings.NewReader(digest+":"), nil); return err },
		"negative":  func() error { _, err := blocklist.FromPwned(strings.NewReader(digest+":-1"), nil); return err },
		"not utf-8": func() error { _, err := blocklist.FromWords(strings.NewReader("a\xff"), nil); return err },
		"nothing":   func() error { _, err := blocklist.FromWords(strings.NewReader("\n\n"), nil); return err },
		"a long line": func() error {
			_, err := blocklist.FromWords(strings.NewReader(strings.Repeat("a", 70_000)), nil)
			return err
		},
		"too many": func() error {
			_, err := blocklist.FromWords(strings.NewReader("a\nb"), &blocklist.Options{Most: 1})
			return err
		},
		"12 bits": func() error {
			_, err := blocklist.FromWords(strings.NewReader("a"), &blocklist.Options{Bits: 12})
			return err
		},
		"below zero": func() error {
			_, err := blocklist.FromWords(strings.NewReader("a"), &blocklist.Options{Most: -1})
			return err
		},
	} {
		require.ErrorIs(t, build(), opsec.ErrInvalid, name)
	}
	_, err := blocklist.FromPwned(strings.NewReader(digest+":1\nx"), nil)
	require.ErrorContains(t, err, "line 2")
}

func TestListsAreOne(t *testing.T) {
	a, err := blocklist.FromWords(strings.NewReader("alpha"), nil)
	require.NoError(t, err)
	b, err := blocklist.FromWords(strings.NewReader("beta"), nil)
	require.NoError(t, err)
	both := blocklist.Lists{a, b}
	require.True(t, both.Contains("alpha"))
	require.True(t, both.Contains("beta"))
	require.False(t, both.Contains("gamma"))
}

// ASVS 6.2.4: 3,000 that meet the application's rules, whichever of these lengths it asks for.
func TestDefaultHoldsCommonPasswordsOfEachLength(t *testing.T) {
	list, err := blocklist.Default()
	require.NoError(t, err)
	require.Equal(t, blocklist.Words, list.Kind())
	require.Equal(t, 16, list.Bits())
	require.Greater(t, list.Count(), 30_000)
	for _, text := range []string{"123456", "Password", "iloveyou", "trustno1", "1qaz2wsx3edc", "1q2w3e4r5t6y", "passwordpassword", "123456789012345", "qwertyuiopasdfghjkl"} {
		require.True(t, list.Contains(text), text)
	}
	for _, text := range []string{"", "rather unlikely otter", "7Zk!pq0-Ld", "Vn4_unlisted_hopefully"} {
		require.False(t, list.Contains(text), text)
	}
}

func TestDamagedFilesAreRefused(t *testing.T) {
	for _, bits := range []int{8, 16} {
		list, err := blocklist.FromWords(strings.NewReader("one\ntwo\nthree\n"), &blocklist.Options{Bits: bits})
		require.NoError(t, err)
		var out bytes.Buffer
		_, err = list.WriteTo(&out)
		require.NoError(t, err)
		file := out.Bytes()
		for i := range file {
			damaged := bytes.Clone(file)
			damaged[i] ^= 1
			_, err := blocklist.Read(bytes.NewReader(damaged))
			require.ErrorIs(t, err, opsec.ErrInvalid, "byte %d", i)
			_, err = blocklist.Read(bytes.NewReader(file[:i]))
			require.ErrorIs(t, err, opsec.ErrInvalid, "cut at %d", i)
		}
		_, err = blocklist.Read(bytes.NewReader(append(bytes.Clone(file), 0)))
		require.ErrorIs(t, err, opsec.ErrInvalid)
		read, err := blocklist.Read(bytes.NewReader(file))
		require.NoError(t, err)
		require.True(t, read.Contains("two"))
	}
}

func FuzzRead(f *testing.F) {
	for _, bits := range []int{8, 16} {
		list, err := blocklist.FromWords(strings.NewReader("one\ntwo\nthree\n"), &blocklist.Options{Bits: bits})
		require.NoError(f, err)
		var out bytes.Buffer
		_, err = list.WriteTo(&out)
		require.NoError(f, err)
		f.Add(out.Bytes())
	}
	f.Add([]byte("opsecBL1"))
	f.Fuzz(func(t *testing.T, file []byte) {
		list, err := blocklist.Read(bytes.NewReader(file))
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		list.Contains("anything")
		var again bytes.Buffer
		_, err = list.WriteTo(&again)
		require.NoError(t, err)
		require.Equal(t, file, again.Bytes())
	})
}

func FuzzFromPwned(f *testing.F) {
	f.Add([]byte(strings.Repeat("0", 40) + ":1\n"))
	f.Add([]byte(":"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, err := blocklist.FromPwned(bytes.NewReader(file), &blocklist.Options{Bits: 8}); err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
		}
	})
}
