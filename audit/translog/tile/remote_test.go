package tile_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/tile"
)

func serve(t testing.TB, h http.Handler) (fs.FS, *httptest.Server) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	fsys, err := tile.Remote(t.Context(), nil, server.URL)
	require.NoError(t, err)
	return fsys, server
}

func TestLogIsReadOverHTTP(t *testing.T) {
	l := logOf(t, 20, 100, 600)
	publish(l, l.size)
	server := httptest.NewServer(http.StripPrefix("/some/log", handlerOf(t, l.files, tile.HandlerOptions{InsecureEntries: true})))
	defer server.Close()
	for _, base := range []string{"/some/log", "/some/log/"} {
		remote, err := tile.Remote(t.Context(), server.Client(), server.URL+base)
		require.NoError(t, err)
		tree, err := tile.NewTree(remote, l.size, l.head)
		require.NoError(t, err)
		for _, i := range []uint64{0, 255, 256, 599} {
			checkInclusion(t, tree, l.head, i, l.hashes[i])
			e, err := tree.Entry(i)
			require.NoError(t, err)
			require.Equal(t, l.entries[i], e)
		}
		note, err := fs.ReadFile(remote, "checkpoint")
		require.NoError(t, err)
		require.Equal(t, l.files["checkpoint"].Data, note)

		files := l.files
		local := l.verified(t, l.files)
		require.Equal(t, local, l.verified(t, remote))
		l.files = files
	}
}

// verified verifies all files of a log without its entries.
func (l *log) verified(t testing.TB, fsys fs.FS) tlog.Hash {
	v, err := tile.NewVerifier(fsys, l.size, 0, func(d *tile.DamageError) { t.Error(d) })
	require.NoError(t, err)
	require.NoError(t, v.Skip(l.size))
	head, err := v.Finish()
	require.NoError(t, err)
	return head
}

func TestRemoteFileSaysWhatItIs(t *testing.T) {
	remote, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 64)) }))
	f, err := remote.Open("tile/0/x001/234.p/2")
	require.NoError(t, err)
	st, err := f.Stat()
	require.NoError(t, err)
	require.Equal(t, "2", st.Name())
	require.Equal(t, int64(64), st.Size())
	require.True(t, st.Mode().IsRegular())
	require.False(t, st.IsDir())
	require.True(t, st.ModTime().IsZero())
	require.Nil(t, st.Sys())
	data, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Len(t, data, 64)
	require.NoError(t, f.Close())
}

func TestRemoteHasTheFilesOfALogAlone(t *testing.T) {
	asked := 0
	remote, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked++ }))
	for _, name := range []string{"", ".", "/", "tile", "tile/0", "../x", "tile/0/../../x", "keys", "checkpoint/x", "tile/0/0"} {
		_, err := remote.Open(name)
		require.ErrorIs(t, err, fs.ErrNotExist, name)
	}
	require.Zero(t, asked)
}

func TestRemoteWantsAURL(t *testing.T) {
	for _, base := range []string{"", "log", "/log", "ftp://example.com", "file:///log", "http://", "http://x/?a=b", "http://x/#f", "http://[", "https:x"} {
		_, err := tile.Remote(context.Background(), nil, base)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%q", base)
	}
}

func TestRemoteTellsWhatTheServerSays(t *testing.T) {
	var status atomic.Int32
	remote, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(int(status.Load()))
		fmt.Fprint(w, "what a server says is not for our log")
	}))
	for code, want := range map[int]error{404: fs.ErrNotExist, 410: fs.ErrNotExist, 401: fs.ErrPermission, 403: fs.ErrPermission} {
		status.Store(int32(code))
		_, err := remote.Open("checkpoint")
		require.ErrorIs(t, err, want)
	}
	for _, code := range []int{201, 204, 206, 304, 400, 429, 500, 503} {
		status.Store(int32(code))
		_, err := remote.Open("tile/0/000")
		require.ErrorContains(t, err, fmt.Sprint("status ", code))
		require.NotErrorIs(t, err, fs.ErrNotExist)
		require.NotContains(t, err.Error(), "says")
	}
}

func TestRemoteFollowsNoRedirection(t *testing.T) {
	reached := false
	_, elsewhere := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	remote, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+"/tile/0/000", http.StatusFound)
	}))
	_, err := remote.Open("tile/0/000")
	require.ErrorContains(t, err, "status 302")
	require.False(t, reached)
}

// A file that is too long is not read to its end, compressed or not.
func TestRemoteReadsNoMoreThanAFileMayHave(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, err := z.Write(make([]byte, 20<<20))
	require.NoError(t, err)
	require.NoError(t, z.Close())

	const much = 256 << 20
	var tooMuch atomic.Bool // has been taken off the server's hands
	remote, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := 0
		switch r.URL.Path {
		case "/tile/0/000": // without end
			for {
				n, err := w.Write(make([]byte, 32<<10))
				sent += n
				if sent > much {
					tooMuch.Store(true)
				}
				if err != nil || sent > much {
					return
				}
			}
		case "/tile/0/001", "/tile/entries/001", "/checkpoint":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb.Bytes())
		case "/tile/0/002": // members without content, one after another: nothing comes out, for ever
			w.Header().Set("Content-Encoding", "gzip")
			var empty bytes.Buffer
			gzip.NewWriter(&empty).Close()
			for {
				n, err := w.Write(bytes.Repeat(empty.Bytes(), 1000))
				sent += n
				if sent > much {
					tooMuch.Store(true)
				}
				if err != nil || sent > much {
					return
				}
			}
		case "/tile/0/003":
			w.Header().Set("Content-Encoding", "br")
		case "/tile/0/004":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write([]byte("this is not what gzip makes"))
		case "/tile/0/005":
			w.Header().Set("Content-Length", "8192")
			w.Write(make([]byte, 100))
		}
	}))
	for name, want := range map[string]string{
		"tile/0/000": "longer than 8192 bytes", "tile/0/001": "longer than 8192 bytes", "checkpoint": "longer than 65536 bytes",
		"tile/entries/001": "longer than 16777472 bytes", "tile/0/002": "EOF", "tile/0/003": "Content-Encoding",
		"tile/0/004": "gzip", "tile/0/005": "EOF",
	} {
		_, err := remote.Open(name)
		require.ErrorContains(t, err, want, name)
	}
	require.False(t, tooMuch.Load())
}

// Some servers compress for everybody.
func TestRemoteUnpacksWhatComesCompressed(t *testing.T) {
	l := logOf(t, 20, 256)
	for _, transport := range []*http.Transport{{DisableCompression: true}, {}} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(l.files[r.URL.Path[1:]].Data)
			z.Close()
		}))
		remote, err := tile.Remote(t.Context(), &http.Client{Transport: transport}, server.URL)
		require.NoError(t, err)
		for _, name := range []string{"tile/0/000", "tile/entries/000"} {
			data, err := fs.ReadFile(remote, name)
			require.NoError(t, err)
			require.Equal(t, l.files[name].Data, data)
		}
		transport.CloseIdleConnections()
		server.Close()
	}
}

func TestRemoteEndsWithItsContext(t *testing.T) {
	hang := make(chan struct{})
	asked := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("o"))
		w.(http.Flusher).Flush()
		asked <- struct{}{}
		<-hang
	}))
	defer server.Close()
	defer close(hang)
	ctx, cancel := context.WithCancel(t.Context())
	remote, err := tile.Remote(ctx, nil, server.URL)
	require.NoError(t, err)
	go func() {
		<-asked
		cancel()
	}()
	_, err = remote.Open("checkpoint")
	require.ErrorIs(t, err, context.Canceled)

	impatient, err := tile.Remote(t.Context(), &http.Client{Timeout: 20 * time.Millisecond}, server.URL)
	require.NoError(t, err)
	_, err = impatient.Open("checkpoint")
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestRemoteLeavesTheClientAsItIs(t *testing.T) {
	followed := 0
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { followed++; return nil }}
	_, server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/checkpoint" {
			http.Redirect(w, r, "/other", http.StatusFound)
		}
	}))
	remote, err := tile.Remote(t.Context(), client, server.URL)
	require.NoError(t, err)
	_, err = remote.Open("checkpoint")
	require.Error(t, err)
	require.Zero(t, followed)
	r, err := client.Get(server.URL + "/checkpoint")
	require.NoError(t, err)
	r.Body.Close()
	require.Equal(t, 1, followed)
}

func ExampleRemote() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "example.com/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n")
	}))
	defer server.Close()

	remote, err := tile.Remote(context.Background(), http.DefaultClient, server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	note, err := fs.ReadFile(remote, "checkpoint")
	fmt.Printf("%s%v\n", note, err)
	// Output:
	// example.com/log
	// 0
	// 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
	//
	// <nil>
}
