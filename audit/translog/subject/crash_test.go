//go:build unix && !aix && !solaris

package subject_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/subject"
)

// TestMain is also what child processes run, by the name of what they are to do.
func TestMain(m *testing.M) {
	path := os.Getenv("SUBJECT_TEST_FILE")
	switch os.Getenv("SUBJECT_TEST_DO") {
	case "":
		os.Exit(m.Run())
	case "open":
		_, err := subject.OpenFile(path, newMaster(1), lookup, nil)
		fmt.Println(errors.Is(err, subject.ErrLocked))
	case "work":
		work(path)
	case "full":
		full(path)
	}
}

func child(t *testing.T, do, path string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), "SUBJECT_TEST_DO="+do, "SUBJECT_TEST_FILE="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// work makes and erases subjects for ever, and says so after it was done, and what it is about to erase before.
func work(path string) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	f, err := subject.OpenFile(path, newMaster(1), lookup, nil)
	must(err)
	var mu sync.Mutex
	say := func(words ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(words...)
	}
	for range 8 {
		go func() {
			for {
				name := fmt.Sprint(os.Getpid(), "-", rand.Uint64())
				h, k, err := f.Subject(context.Background(), account(name))
				must(err)
				term := k.Term(1, []byte("x"))
				say("made", name, h, hex.EncodeToString(term[:]))
				if rand.IntN(3) == 0 {
					say("erasing", name, h)
					must(f.Erase(context.Background(), h))
					say("erased", name, h)
				}
			}
		}()
	}
	select {}
}

// made is what a child has said about a subject.
type made struct{ name, term, last string }

func TestKilledAtAnyTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	known := map[entry.Handle]made{}
	for range 8 {
		cmd := child(t, "work", path)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for n := rand.IntN(400); lines.Scan(); n-- {
			words := strings.Fields(lines.Text())
			var h entry.Handle
			_, err := hex.Decode(h[:], []byte(words[2]))
			if err != nil || words[0] == "made" && len(words) < 4 || len(words[2]) < 32 {
				break // cut short by the kill
			}
			m := known[h]
			m.name, m.last = words[1], words[0]
			if words[0] == "made" {
				m.term = words[3]
			}
			known[h] = m
			if n == 0 {
				require.NoError(t, cmd.Process.Kill()) // and read on what it had said
			}
		}
		cmd.Wait()

		f := open(t, path)
		erased := 0
		for h, m := range known {
			k, err := f.Key(t.Context(), h)
			switch {
			case m.last == "made":
				require.NoError(t, err, "%s was acknowledged", m.name)
			case m.last == "erased":
				require.ErrorIs(t, err, entry.ErrErased)
			}
			if err != nil {
				require.ErrorIs(t, err, entry.ErrErased)
				erased++
				continue
			}
			term := k.Term(1, []byte("x"))
			require.Equal(t, m.term, hex.EncodeToString(term[:]))
			list, err := f.Find(t.Context(), account(m.name))
			require.NoError(t, err)
			require.Equal(t, []entry.Handle{h}, list)
		}
		require.NoError(t, f.Close())
		bytesErased(t, path, erased)
	}
	require.Greater(t, len(known), 100)
}

// bytesErased fails unless at least so many slots are erased, and hold nothing but their handles.
func bytesErased(t *testing.T, path string, least int) {
	t.Helper()
	all, err := os.ReadFile(path)
	require.NoError(t, err)
	for at := slotLen; at < len(all); at += slotLen {
		if slot := all[at : at+slotLen]; slot[0] == 'E' {
			require.Equal(t, make([]byte, slotLen-36), slot[36:])
			least--
		}
	}
	require.LessOrEqual(t, least, 0)
}

func TestFileHasOneUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	f := open(t, path)
	_, err := subject.OpenFile(path, newMaster(1), lookup, nil)
	require.ErrorIs(t, err, subject.ErrLocked)
	out, err := child(t, "open", path).Output()
	require.NoError(t, err)
	require.Equal(t, "true\n", string(out))
	require.NoError(t, f.Close())
	out, err = child(t, "open", path).Output()
	require.NoError(t, err)
	require.Equal(t, "false\n", string(out))
}

// full fills a file up to a limit of its size, and goes on when there is room again.
func full(path string) {
	f, err := subject.OpenFile(path, newMaster(1), lookup, nil)
	if err != nil {
		panic(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := errors.Join(
		syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before),
		syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 5*slotLen + 100, Max: before.Max})); err != nil {
		panic(err)
	}
	for i := range 5 {
		h, _, err := f.Subject(context.Background(), account(fmt.Sprint(i)))
		st, _ := os.Stat(path)
		fmt.Println(err == nil, errors.Is(err, syscall.EFBIG), (h != entry.Handle{}), st.Size()%slotLen)
	}
	_, _, err = f.Subject(context.Background(), account("0"))
	fmt.Println("there", err)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		panic(err)
	}
	_, _, err = f.Subject(context.Background(), account("4"))
	fmt.Println("room", err, f.Close())
}

func TestNoRoom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	out, err := child(t, "full", path).Output()
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("true false true 0\n", 4)+"false true false 0\nthere <nil>\nroom <nil> <nil>\n", string(out))
	f := open(t, path)
	n := 0
	for _, err := range f.All(t.Context()) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 5, n)
}

// batches makes three subjects in one write, then two in another, and returns them.
func batches(t *testing.T, path string) (handles []entry.Handle, terms [][16]byte) {
	t.Helper()
	m := newMaster(1)
	f, err := subject.OpenFile(path, m, lookup, nil)
	require.NoError(t, err)
	defer f.Close()
	for _, names := range [][]string{{"a", "b", "c"}, {"d", "e"}} {
		before, err := os.Stat(path)
		require.NoError(t, err)
		m.asked = make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { f.Subject(context.Background(), account("first of "+names[0])) })
		<-m.asked // the others meet while it has the turn
		for _, name := range names {
			wg.Go(func() { f.Subject(context.Background(), account(name)) })
		}
		time.Sleep(20 * time.Millisecond)
		m.asked <- struct{}{}
		for range names {
			<-m.asked
			m.asked <- struct{}{}
		}
		wg.Wait()
		m.asked = nil
		after, err := os.Stat(path)
		require.NoError(t, err)
		require.EqualValues(t, slotLen*(1+len(names)), after.Size()-before.Size())
		for _, name := range names {
			h, term := get(t, f, account(name))
			handles, terms = append(handles, h), append(terms, term)
		}
	}
	return handles, terms
}

// TestTornWrite: whatever part of the last write reaches the disk, all before it is there, and new subjects can be made.
func TestTornWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	handles, terms := batches(t, path)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, whole, slotLen*8)
	last := bytes.LastIndex(whole, []byte("L\x00\x00\x00\x00\x00\x00\x00")) / slotLen * slotLen
	require.Equal(t, slotLen*7, last)
	begin := int(whole[last+8])*slotLen + slotLen // of the last batch
	try := func(name string, torn []byte) {
		t.Helper()
		path := filepath.Join(dir, "torn")
		require.NoError(t, os.WriteFile(path, torn, 0o600))
		for range 2 {
			f := open(t, path)
			for i := range 3 {
				works(t, f, handles[i], terms[i])
			}
			for _, s := range []string{"d", "e", "new"} {
				get(t, f, account(s))
			}
			_, err := f.Key(t.Context(), handles[4])
			if err != nil {
				require.ErrorIs(t, err, opsec.ErrNotFound, name)
			}
			require.NoError(t, f.Close())
		}
	}
	for n := begin; n <= len(whole); n += 37 {
		try(fmt.Sprint("cut at ", n), whole[:n])
		zeros := bytes.Clone(whole)
		clear(zeros[n:])
		try(fmt.Sprint("zeros from ", n), zeros)
		zeros = bytes.Clone(whole)
		clear(zeros[begin:n])
		try(fmt.Sprint("zeros to ", n), zeros)
	}
}

// TestTornErasure: an erasure of which anything has reached the disk is finished when the file is opened.
func TestTornErasure(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	handles, terms := batches(t, path)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	at := bytes.Index(whole, handles[1][:]) - 16
	for n := 36; n <= slotLen; n += 17 {
		for name, part := range map[string][2]int{"to": {36, n}, "from": {n, slotLen}} {
			torn := bytes.Clone(whole)
			torn[at] = 'E'
			clear(torn[at+part[0] : at+part[1]])
			path := filepath.Join(dir, "torn")
			require.NoError(t, os.WriteFile(path, torn, 0o600))
			f := open(t, path)
			_, err := f.Key(t.Context(), handles[1])
			require.ErrorIs(t, err, entry.ErrErased, "zeros %s %d", name, n)
			works(t, f, handles[0], terms[0])
			works(t, f, handles[4], terms[4])
			again, _ := get(t, f, account("b"))
			require.NotEqual(t, handles[1], again)
			require.NoError(t, f.Close())
			bytesErased(t, path, 1)
		}
	}
}

// TestDamage: a key that was acknowledged does not vanish unnoticed.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	handles, terms := batches(t, path)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	at := bytes.Index(whole, handles[1][:]) - 16
	damaged := filepath.Join(dir, "damaged")
	for i := range slotLen {
		changed := bytes.Clone(whole)
		changed[at+i] ^= 0x10
		require.NoError(t, os.WriteFile(damaged, changed, 0o600))
		_, err := subject.OpenFile(damaged, newMaster(1), lookup, nil)
		require.ErrorIs(t, err, subject.ErrDamaged, "byte %d", i)
		after, err := os.ReadFile(damaged)
		require.NoError(t, err)
		require.True(t, bytes.Equal(changed, after), "nothing was changed")
	}
	changed := bytes.Clone(whole)
	changed[at+100]++
	require.NoError(t, os.WriteFile(damaged, changed, 0o600))
	f, err := subject.OpenFile(damaged, newMaster(1), lookup, &subject.Options{SkipDamaged: true})
	require.NoError(t, err)
	_, err = f.Key(t.Context(), handles[1])
	require.ErrorIs(t, err, subject.ErrDamaged)
	works(t, f, handles[0], terms[0])
	again, _ := get(t, f, account("b"))
	require.NotEqual(t, handles[1], again)
	var failed int
	for _, err := range f.All(t.Context()) {
		if err != nil {
			require.ErrorIs(t, err, subject.ErrDamaged)
			failed++
		}
	}
	require.Equal(t, 1, failed)
	require.NoError(t, f.Erase(t.Context(), handles[1]), "what is damaged can be erased")
	require.NoError(t, f.Close())
	open(t, damaged).Close()
	bytesErased(t, damaged, 1)

	twice := append(bytes.Clone(whole), whole[at:at+slotLen]...)
	require.NoError(t, os.WriteFile(damaged, twice, 0o600))
	f = open(t, damaged) // a slot knows its number: this one is none
	require.NoError(t, f.Close())
	st, err := os.Stat(damaged)
	require.NoError(t, err)
	require.EqualValues(t, len(whole), st.Size())

	// Under a file that is open.
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer file.Close()
	f = open(t, path)
	_, err = file.WriteAt([]byte{0xff, 0xff, 0xff}, int64(at+100))
	require.NoError(t, err)
	_, err = f.Key(t.Context(), handles[1])
	require.ErrorIs(t, err, subject.ErrDamaged)
}

// TestKeyOfAnother: the wrapped key of one slot is of no use in another, nor in another file.
func TestKeyOfAnother(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	batches(t, one)
	handles, _ := batches(t, two)
	a, err := os.ReadFile(one)
	require.NoError(t, err)
	b, err := os.ReadFile(two)
	require.NoError(t, err)
	require.Len(t, b, len(a))
	require.NoError(t, os.WriteFile(two, append(b[:slotLen:slotLen], a[slotLen:]...), 0o600))
	f := open(t, two) // slots of another file, in their places
	_, _, err = f.Subject(t.Context(), account("a"))
	require.ErrorContains(t, err, "master key")
	_, err = f.Key(t.Context(), handles[0])
	require.ErrorIs(t, err, opsec.ErrNotFound)
}

// TestForgedSlots: who can write the file, sums included, cannot give a subject another key, or its old one.
func TestForgedSlots(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	f := open(t, path)
	gone, _ := get(t, f, account("john"))
	old, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, f.Erase(t.Context(), gone))
	h, _ := get(t, f, account("john"))
	require.NoError(t, f.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	try := func(change func(slot []byte)) error {
		forged := bytes.Clone(whole)
		slot := forged[2*slotLen:]
		change(slot)
		binary.LittleEndian.PutUint32(slot[36:], crc32.Checksum(slot[40:], crc32.MakeTable(crc32.Castagnoli)))
		path := filepath.Join(dir, "forged")
		require.NoError(t, os.WriteFile(path, forged, 0o600))
		f, err := subject.OpenFile(path, newMaster(1), lookup, &subject.Options{SkipDamaged: true})
		require.NoError(t, err)
		defer f.Close()
		_, err = f.Key(t.Context(), h)
		return err
	}
	require.NoError(t, try(func([]byte) {}))
	require.ErrorContains(t, try(func(slot []byte) { copy(slot[72:], old[slotLen+72:]) }), "master key", "the erased key")
	require.ErrorContains(t, try(func(slot []byte) { slot[40]++ }), "master key", "another account")
	require.ErrorContains(t, try(func(slot []byte) { slot[56]++ }), "master key", "another person")
	require.ErrorIs(t, try(func(slot []byte) { slot[72], slot[73] = 0xff, 0xff }), opsec.ErrNotFound)
	require.ErrorIs(t, try(func(slot []byte) { slot[511]++ }), opsec.ErrNotFound)
}

func TestWrongKeysAndOtherFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keys")
	batches(t, path)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	refused := func(path string, m subject.Sealer, lookup []byte, says string) {
		t.Helper()
		_, err := subject.OpenFile(path, m, lookup, nil)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.ErrorContains(t, err, says)
	}
	refused(path, newMaster(9), lookup, "not the master key")
	refused(path, newMaster(1), bytes.Repeat([]byte{9}, 32), "not the lookup key")
	refused(path, newMaster(1), lookup[:31], "31 bytes")
	refused(path, nil, lookup, "no master")
	greedy := newMaster(1)
	greedy.extra = 311
	refused(filepath.Join(dir, "greedy"), greedy, lookup, "351 bytes")
	_, err = subject.OpenFile(filepath.Join(dir, "none", "keys"), newMaster(1), lookup, nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	down := newMaster(1)
	down.fail = errors.New("down")
	_, err = subject.OpenFile(filepath.Join(dir, "down"), down, lookup, nil)
	require.ErrorIs(t, err, down.fail)
	require.NoError(t, os.Symlink(path, filepath.Join(dir, "link")))
	_, err = subject.OpenFile(filepath.Join(dir, "link"), newMaster(1), lookup, nil)
	require.Error(t, err)

	for name, text := range map[string]string{
		"text": "hello", "more text": strings.Repeat("hello ", 500), "zeros": strings.Repeat("\x00", 2*slotLen),
		"version": strings.Replace(string(whole), "opsecsub\x01", "opsecsub\x02", 1),
	} {
		other := filepath.Join(dir, "other")
		require.NoError(t, os.WriteFile(other, []byte(text), 0o600))
		refused(other, newMaster(1), lookup, "not a file of subjects")
		after, err := os.ReadFile(other)
		require.NoError(t, err)
		require.Equal(t, text, string(after), name)
	}
	for i := len("opsecsub\x01"); i < slotLen; i++ {
		changed := bytes.Clone(whole)
		changed[i]++
		other := filepath.Join(dir, "other")
		require.NoError(t, os.WriteFile(other, changed, 0o600))
		_, err := subject.OpenFile(other, newMaster(1), lookup, nil)
		require.ErrorIs(t, err, subject.ErrDamaged, "byte %d", i)
	}
	for n := 0; n < slotLen; n += 7 { // the making of a file was cut short
		for _, head := range [][]byte{whole[:n], append(bytes.Clone(whole[:n]), make([]byte, slotLen-n)...), make([]byte, n)} {
			other := filepath.Join(dir, "other")
			require.NoError(t, os.WriteFile(other, head, 0o600))
			f := open(t, other)
			h, term := get(t, f, account("a"))
			require.NoError(t, f.Close())
			f = open(t, other)
			works(t, f, h, term)
			require.NoError(t, f.Close())
		}
	}
}
