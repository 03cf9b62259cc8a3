package tile_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/tile"
)

// publish puts a checkpoint, without the signatures that nobody here looks at, beside the tiles.
func publish(l *log, size uint64) {
	note := fmt.Sprintf("example.com/log\n%d\n%s\n\n— example.com/log AAAA\n", size, l.head)
	l.files["checkpoint"] = &fstest.MapFile{Data: []byte(note)}
}

func get(h http.Handler, method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(b)
}

func handlerOf(t testing.TB, fsys fs.FS, o tile.HandlerOptions) http.Handler {
	t.Helper()
	h, err := tile.Handler(fsys, o)
	require.NoError(t, err)
	return h
}

func TestHandlerServesTheLog(t *testing.T) {
	l := logOf(t, 20, 100, 300, 65_536+300)
	publish(l, l.size)
	h := handlerOf(t, l.files, tile.HandlerOptions{InsecureEntries: true})
	for name, file := range l.files {
		r := get(h, http.MethodGet, "/"+name)
		require.Equal(t, http.StatusOK, r.StatusCode, name)
		require.Equal(t, string(file.Data), body(t, r), name)
		require.Equal(t, fmt.Sprint(len(file.Data)), r.Header.Get("Content-Length"))
		require.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"))
		if name == "checkpoint" {
			require.Equal(t, "text/plain; charset=utf-8", r.Header.Get("Content-Type"))
			require.Equal(t, "no-cache", r.Header.Get("Cache-Control"))
		} else {
			require.Equal(t, "application/octet-stream", r.Header.Get("Content-Type"))
			require.Equal(t, "public, max-age=31536000, immutable", r.Header.Get("Cache-Control"))
		}
	}
}

func TestHandlerCompressesBundlesAlone(t *testing.T) {
	l := logOf(t, 20, 300)
	publish(l, l.size)
	h := handlerOf(t, l.files, tile.HandlerOptions{InsecureEntries: true})
	for accept, want := range map[string]string{
		"gzip": "gzip", "gzip, identity": "gzip", "br;q=1.0, GZIP;q=0.5": "gzip", "gzip; q=0.001": "gzip",
		"": "", "identity": "", "gzip;q=0": "", "gzip;q=0.0": "", "gzip;q=x": "", "x-gzip": "", "br": "",
	} {
		for range 2 { // the second with a compressor that has been used
			r := get(h, http.MethodGet, "/tile/entries/000", "Accept-Encoding", accept)
			require.Equal(t, want, r.Header.Get("Content-Encoding"), accept)
			require.Equal(t, "Accept-Encoding", r.Header.Get("Vary"))
			data := body(t, r)
			require.Equal(t, fmt.Sprint(len(data)), r.Header.Get("Content-Length"))
			if want == "gzip" {
				z, err := gzip.NewReader(strings.NewReader(data))
				require.NoError(t, err)
				plain, err := io.ReadAll(z)
				require.NoError(t, err)
				data = string(plain)
			}
			require.Equal(t, string(l.files["tile/entries/000"].Data), data)
		}
	}
	for _, name := range []string{"/checkpoint", "/tile/0/000"} {
		r := get(h, http.MethodGet, name, "Accept-Encoding", "gzip")
		require.Empty(t, r.Header.Get("Content-Encoding"))
	}
}

func TestHandlerRefusesBundlesUnlessItIsTold(t *testing.T) {
	l := logOf(t, 20, 300)
	publish(l, l.size)
	strict := handlerOf(t, l.files, tile.HandlerOptions{})
	asked := handlerOf(t, l.files, tile.HandlerOptions{Entries: func(r *http.Request) error {
		if r.Header.Get("Authorization") != "Bearer auditor" {
			return errors.New("a secret reason")
		}
		return nil
	}})
	for _, name := range []string{"/tile/entries/000", "/tile/entries/001.p/44", "/tile/entries/999"} {
		for _, h := range []http.Handler{strict, asked} {
			r := get(h, http.MethodGet, name)
			require.Equal(t, http.StatusForbidden, r.StatusCode)
			require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
			require.Equal(t, "forbidden\n", body(t, r))
		}
	}
	require.Equal(t, http.StatusOK, get(strict, http.MethodGet, "/tile/0/000").StatusCode)

	r := get(asked, http.MethodGet, "/tile/entries/000", "Authorization", "Bearer auditor")
	require.Equal(t, http.StatusOK, r.StatusCode)
	require.Equal(t, "private, max-age=31536000, immutable", r.Header.Get("Cache-Control"), "no shared cache may show it to others")

	_, err := tile.Handler(l.files, tile.HandlerOptions{Entries: func(*http.Request) error { return nil }, InsecureEntries: true})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestHandlerServesWhatIsPublishedOnly(t *testing.T) {
	l := logOf(t, 20, 100, 256, 300, 600)
	h := handlerOf(t, l.files, tile.HandlerOptions{InsecureEntries: true})
	status := func(name string) int { return get(h, http.MethodGet, "/"+name).StatusCode }
	require.Equal(t, http.StatusNotFound, status("checkpoint"))
	require.Equal(t, http.StatusNotFound, status("tile/0/000.p/100"), "nothing is published yet")

	publish(l, 300)
	for name := range l.files {
		level, n, width, err := tile.ParsePath(name)
		if err == nil {
			want := http.StatusNotFound
			if n*256+uint64(width) <= 300>>(8*max(level, 0)) {
				want = http.StatusOK
			}
			r := get(h, http.MethodGet, "/"+name)
			require.Equal(t, want, r.StatusCode, name)
			if want != http.StatusOK {
				require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
			}
		}
	}
	publish(l, 600)
	require.Equal(t, http.StatusOK, status("tile/0/001"))
	require.Equal(t, http.StatusOK, status("tile/1/000.p/2"))
	require.Equal(t, http.StatusNotFound, status("tile/1/000"))
	require.Equal(t, http.StatusNotFound, status("tile/9/000"))
	require.Equal(t, http.StatusNotFound, status("tile/0/001.p/7"), "never a checkpoint's")

	publish(l, 300) // an old one has been put back
	require.Equal(t, http.StatusNotFound, status("tile/0/700"))
	require.Equal(t, http.StatusOK, status("tile/0/001"))
	for _, note := range []string{"", "x\n", "x\nmany\nroot\n", "x\n99999999999999999999\nroot\n"} {
		l.files["checkpoint"] = &fstest.MapFile{Data: []byte(note)}
		require.Equal(t, http.StatusInternalServerError, status("tile/0/700"), "%q", note)
		require.Equal(t, http.StatusOK, status("tile/0/001"), "what was published is so for ever")
	}
}

func TestHandlerServesNoDamagedFile(t *testing.T) {
	l := logOf(t, 20, 300)
	publish(l, l.size)
	h := handlerOf(t, l.files, tile.HandlerOptions{InsecureEntries: true})
	for _, name := range []string{"tile/0/000", "tile/0/001.p/44", "tile/entries/000", "tile/entries/001.p/44"} {
		good := l.files[name].Data
		for _, bad := range [][]byte{nil, good[:len(good)-1], append(good[:len(good):len(good)], 0), make([]byte, 17<<20)} {
			l.files[name] = &fstest.MapFile{Data: bad}
			r := get(h, http.MethodGet, "/"+name)
			require.Equal(t, http.StatusInternalServerError, r.StatusCode, name)
			require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
		}
		l.files[name] = &fstest.MapFile{Mode: fs.ModeDir}
		require.Equal(t, http.StatusInternalServerError, get(h, http.MethodGet, "/"+name).StatusCode)
	}
	l.files["checkpoint"] = &fstest.MapFile{Data: make([]byte, 1<<20)}
	require.Equal(t, http.StatusInternalServerError, get(h, http.MethodGet, "/checkpoint").StatusCode)
}

func TestHandlerKnowsOneSpellingOfAPath(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(dir+"/log/tile/0", 0o700))
	for name, data := range map[string]string{
		"/secret": "secret", "/log/keys": "secret", "/log/tile/0/000.p/../secret": "", "/log/checkpoint": "o\n1\nr\n\n",
	} {
		if data != "" {
			require.NoError(t, os.WriteFile(dir+name, []byte(data), 0o600))
		}
	}
	require.NoError(t, os.MkdirAll(dir+"/log/tile/0/000.p", 0o700))
	require.NoError(t, os.WriteFile(dir+"/log/tile/0/000.p/1", make([]byte, 32), 0o600))
	h := handlerOf(t, os.DirFS(dir+"/log"), tile.HandlerOptions{InsecureEntries: true})
	require.Equal(t, http.StatusOK, get(h, http.MethodGet, "/tile/0/000.p/1").StatusCode)
	require.Equal(t, http.StatusOK, get(http.StripPrefix("/log", h), http.MethodGet, "/log/tile/0/000.p/1").StatusCode)
	for _, target := range []string{
		"/", "/keys", "/tile", "/tile/", "/tile/0/", "/tile/0/000.p/", "/../secret", "/tile/../keys", "/tile/0/../../keys",
		"/tile/0/../../../secret", "/%2e%2e/secret", "/tile%2f0%2f000.p%2f1", "/tile/0/000.p%2f1", "//tile/0/000.p/1",
		"/tile//0/000.p/1", "/tile/0/000.p/1/", "/tile/0/000.p/01", "/tile/00/000.p/1", "/checkpoint/", "//checkpoint", "/Checkpoint",
	} {
		r := get(h, http.MethodGet, "http://localhost"+target)
		require.Equal(t, http.StatusNotFound, r.StatusCode, target)
		require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
		require.NotContains(t, body(t, r), "secret")
	}
}

func TestHandlerTakesGetAndHead(t *testing.T) {
	l := logOf(t, 20, 300)
	publish(l, l.size)
	server := httptest.NewServer(handlerOf(t, l.files, tile.HandlerOptions{InsecureEntries: true}))
	defer server.Close()
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH"} {
		req, err := http.NewRequest(method, server.URL+"/tile/0/000", nil)
		require.NoError(t, err)
		r, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode)
		require.Equal(t, "GET, HEAD", r.Header.Get("Allow"))
		r.Body.Close()
	}
	r, err := http.Head(server.URL + "/tile/0/000")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, r.StatusCode)
	require.Equal(t, int64(8192), r.ContentLength)
	require.Empty(t, body(t, r))
}

// A client that follows the checkpoint while the log grows never gets half a file.
func TestHandlerBesideAWriter(t *testing.T) {
	root := openRoot(t)
	h := handlerOf(t, root.FS(), tile.HandlerOptions{InsecureEntries: true})
	server := httptest.NewServer(h)
	defer server.Close()
	remote, err := tile.Remote(t.Context(), server.Client(), server.URL)
	require.NoError(t, err)

	w, err := tile.NewWriter(root, 0)
	require.NoError(t, err)
	defer w.Close()
	type published struct {
		size uint64
		head tlog.Hash
	}
	heads := make(chan published, 1)
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for p := range heads {
				tree, err := tile.NewTree(remote, p.size, p.head)
				if err == nil {
					_, err = tree.Bundle((p.size - 1) / 256)
				}
				if err == nil {
					_, err = tree.Entry(p.size / 2)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for size := uint64(0); size < 1_500; {
		for range 1 + size%13 {
			e := entry(size, 500)
			require.NoError(t, w.Append([][]byte{e}, []tlog.Hash{tlog.RecordHash(e)}))
			size++
		}
		head, err := w.Flush()
		require.NoError(t, err)
		require.NoError(t, root.WriteFile("checkpoint.new", fmt.Appendf(nil, "o\n%d\n%s\n\n", size, head), 0o600))
		require.NoError(t, root.Rename("checkpoint.new", "checkpoint"))
		require.NoError(t, w.Clean(size))
		heads <- published{size, head}
	}
	close(heads)
	readers.Wait()
}

func ExampleHandler() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	root, _ := os.OpenRoot(dir)
	defer root.Close()
	w, _ := tile.NewWriter(root, 0)
	entry := []byte("the only entry")
	w.Append([][]byte{entry}, []tlog.Hash{tlog.RecordHash(entry)})
	head, _ := w.Flush()
	w.Close()
	root.WriteFile("checkpoint", fmt.Appendf(nil, "example.com/log\n1\n%s\n\n", head), 0o600) // signed, in earnest

	h, _ := tile.Handler(root.FS(), tile.HandlerOptions{})
	mux := http.NewServeMux()
	mux.Handle("/log/", http.StripPrefix("/log", h))
	for _, path := range []string{"/log/checkpoint", "/log/tile/0/000.p/1", "/log/tile/entries/000.p/1", "/log/tile/0/000"} {
		r := httptest.NewRecorder()
		mux.ServeHTTP(r, httptest.NewRequest("GET", path, nil))
		fmt.Println(r.Code, r.Header().Get("Cache-Control"))
	}
	// Output:
	// 200 no-cache
	// 200 public, max-age=31536000, immutable
	// 403 no-store
	// 404 no-store
}
