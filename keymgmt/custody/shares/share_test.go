package shares_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

func TestASharePrintsNothingOfItself(t *testing.T) {
	_, list := deal(t, root, 2, 3)
	s := list[1]
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %[1]v"} {
		fmt.Fprintf(&b, verb+"\n", s)
		fmt.Fprintf(&b, verb+"\n", &s)
		fmt.Fprintf(&b, verb+"\n", struct{ S shares.Share }{s})
		fmt.Fprintf(&b, verb+"\n", list)
	}
	for _, v := range []any{s, &s, list, map[string]any{"share": s}} {
		require.NoError(t, json.NewEncoder(&b).Encode(v))
		slog.New(slog.NewTextHandler(&b, nil)).Info("got", "share", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("got", "share", v)
	}
	printed := strings.ToLower(b.String())
	require.Contains(t, printed, "[share 2 of 3]")
	for at := 39; at+4 <= len(s.Bytes()); at++ {
		part := s.Bytes()[at : at+4]
		require.NotContains(t, printed, hex.EncodeToString(part))
		require.NotContains(t, printed, strings.Trim(fmt.Sprint(part), "[]"))
	}
	require.Equal(t, "[share 0 of 0]", fmt.Sprint(shares.Share{}))
}

func TestTheBinaryFormGoesRound(t *testing.T) {
	set, list := deal(t, root, 3, 5)
	for i, s := range list {
		read, err := shares.ParseShare(s.Bytes())
		require.NoError(t, err)
		require.Equal(t, i+1, read.Index())
		require.Equal(t, 3, read.Threshold())
		require.Equal(t, 5, read.Of())
		require.Equal(t, set.ID, read.Set())
		require.Equal(t, set.Digests[i], read.Digest())
		require.Len(t, s.Bytes(), len(root)+87)
		require.NoError(t, set.Check(read))
	}
	s := list[0].Bytes()
	clear(s)
	require.NoError(t, set.Check(list[0]), "Bytes is a copy")
}

func TestParseShareRefuses(t *testing.T) {
	_, list := deal(t, root, 3, 5)
	good := list[0].Bytes()
	for what, change := range map[string]func(b []byte) []byte{
		"bytes, want":       func(b []byte) []byte { return b[:87] },
		"at most":           func(b []byte) []byte { b[4] = 6; return b },
		"at least 2":        func(b []byte) []byte { b[4] = 1; return b },
		"not a share":       func(b []byte) []byte { b[3] = 2; return b },
		"index 0":           func(b []byte) []byte { b[6] = 0; return b },
		"88 to 1111":        func(b []byte) []byte { return make([]byte, 1112) },
		"0 bytes, want":     func(b []byte) []byte { return nil },
		"threshold 3 of 0,": func(b []byte) []byte { b[5] = 0; return b },
	} {
		_, err := shares.ParseShare(change(bytes.Clone(good)))
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
		require.ErrorContains(t, err, what)
	}
}

func TestPaperGoesRound(t *testing.T) {
	for _, size := range []int{1, 12, 13, 14, 32, 33, 1024} {
		_, list := deal(t, bytes.Repeat([]byte{7}, size), 2, 3)
		text := list[2].Text()
		require.True(t, strings.HasPrefix(text, "# share 3 of 3, any 2 open set "+list[2].Set().String()[:8]+"\n"))
		for _, typed := range []string{
			text,
			strings.ToLower(text),
			strings.ReplaceAll(text, " ", ""),
			strings.ReplaceAll(strings.ReplaceAll(text, " ", "-"), "\n", "\r\n\r\n"),
			strings.NewReplacer("0", "o", "1", "l").Replace(text[strings.Index(text, "\n"):]),
			strings.NewReplacer("0", "O", "1", "I").Replace(text[strings.Index(text, "\n"):]),
			"# mine\n" + strings.TrimSpace(text),
		} {
			read, err := shares.ParseText(typed)
			require.NoError(t, err, typed)
			require.Equal(t, list[2].Bytes(), read.Bytes())
		}
	}
	require.Empty(t, shares.Share{}.Text())
}

func TestASlipIsFoundInItsLine(t *testing.T) {
	_, list := deal(t, root, 2, 3)
	lines := strings.Split(strings.TrimSpace(list[0].Text()), "\n")[1:]
	require.Len(t, lines, 6)
	for number, line := range lines {
		for at, letter := range line {
			if letter == ' ' {
				continue
			}
			for _, slip := range "0Z?U" {
				if slip == letter {
					continue
				}
				typed := append([]string(nil), lines...)
				typed[number] = line[:at] + string(slip) + line[at+1:]
				_, err := shares.ParseText(strings.Join(typed, "\n"))
				require.ErrorIs(t, err, opsec.ErrInvalid)
				require.ErrorContains(t, err, fmt.Sprintf("line %d:", number+1))
				require.NotContains(t, err.Error(), line[:4], "nothing of it is shown")
			}
		}
	}
	swapped := append([]string(nil), lines...)
	swapped[2], swapped[3] = lines[3], lines[2]
	_, err := shares.ParseText(strings.Join(swapped, "\n"))
	require.ErrorContains(t, err, "line 3")
	_, err = shares.ParseText(strings.Join(lines[:5], "\n"))
	require.ErrorContains(t, err, "line 5: a slip in this line, or lines are missing")
}

func TestParseTextRefuses(t *testing.T) {
	_, list := deal(t, bytes.Repeat([]byte{1}, 1024), 2, 2)
	text := list[0].Text()
	for what, typed := range map[string]string{
		"0 bytes":         "# nothing\n\n",
		"8193 bytes":      strings.Repeat(" ", 8193),
		"112 lines":       text + text,
		"line 1: want":    "é",
		"line 1: a slip":  "00 0000",
		"line 56: a slip": text[:len(text)-5] + "0000",
	} {
		_, err := shares.ParseText(typed)
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
		require.ErrorContains(t, err, what)
	}
}

// TestSharesInsideOthersShowNothing prints what has shares in fields that fmt may not ask.
func TestSharesInsideOthersShowNothing(t *testing.T) {
	_, list := deal(t, root, 2, 3)
	type holder struct{ share shares.Share }
	type hall struct {
		list []shares.Share
		one  map[string]holder
	}
	text := fmt.Sprintf("%v %+v %#v %d %x", holder{list[0]}, &hall{list, map[string]holder{"a": {list[1]}}}, hall{list: list}, list, &holder{list[0]})
	b := list[0].Bytes()
	for _, shown := range []string{string(b[4:12]), hex.EncodeToString(b[:8]), strings.Trim(fmt.Sprint(b[:8]), "[]"), "0x6f, 0x73, 0x68", "111 115 104"} {
		require.NotContains(t, text, shown)
	}
}
