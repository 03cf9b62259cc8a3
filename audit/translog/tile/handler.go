package tile

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
)

// HandlerOptions says who may read what. The zero value shows the checkpoint and the hashes to everybody, and entries to
// nobody.
type HandlerOptions struct {
	Entries         func(*http.Request) error // who may read entry bundles: those for whom it returns nil
	InsecureEntries bool                      // everybody may; Entries must be nil then
}

// Handler serves the log in fsys as C2SP tlog-tiles wants it: GET and HEAD of "/checkpoint" and "/tile/..." (put
// [http.StripPrefix] around it for another place). Whoever may read one bundle may read all of them, and they show the
// envelopes of all tenants.
//
// Nothing is served that the checkpoint in fsys does not cover, so no cache can keep what may still change. What is
// served never changes and says so (Cache-Control: immutable), the checkpoint excepted. Bundles are compressed for clients
// that accept gzip. A file that is cut short is an error 500.
func Handler(fsys fs.FS, o HandlerOptions) (http.Handler, error) {
	if o.Entries != nil && o.InsecureEntries {
		return nil, fmt.Errorf("tile: HandlerOptions.Entries and InsecureEntries exclude each other: %w", opsec.ErrInvalid)
	}
	return &handler{fsys: fsys, options: o}, nil
}

type handler struct {
	fsys    fs.FS
	options HandlerOptions
	size    atomic.Uint64 // of the largest checkpoint seen
	gzips   sync.Pool     // of *gzip.Writer
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store") // until there is something to serve
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == checkpointName {
		h.checkpoint(w)
		return
	}
	level, n, width, err := ParsePath(name)
	if err != nil || r.URL.RawPath != "" { // one spelling of each path
		refuse(w, http.StatusNotFound)
		return
	}
	if level == LevelEntries && !h.options.InsecureEntries {
		if h.options.Entries == nil || h.options.Entries(r) != nil {
			refuse(w, http.StatusForbidden)
			return
		}
	}
	if covered, err := h.covers(max(level, 0), n, width); err != nil {
		refuse(w, http.StatusInternalServerError)
	} else if !covered {
		refuse(w, http.StatusNotFound)
	} else {
		h.file(w, r, name, level, width)
	}
}

func (h *handler) checkpoint(w http.ResponseWriter) {
	note, err := readFile(h.fsys, checkpointName, maxCheckpoint, nil)
	if err != nil {
		refuse(w, statusOf(err))
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	send(w, note)
}

// covers says whether a tile is one of a published tree.
func (h *handler) covers(level int, n uint64, width int) (bool, error) {
	reaches := func(size uint64) bool { return size>>(height*level) >= n*Width+uint64(width) }
	if reaches(h.size.Load()) {
		return true, nil
	}
	note, err := readFile(h.fsys, checkpointName, maxCheckpoint, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	lines := strings.SplitN(string(note), "\n", 3)
	if len(lines) < 3 {
		return false, fmt.Errorf("tile: the checkpoint has no size: %w", opsec.ErrInvalid)
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil {
		return false, fmt.Errorf("tile: the size of the checkpoint: %w", opsec.ErrInvalid)
	}
	for {
		seen := h.size.Load()
		if size <= seen || h.size.CompareAndSwap(seen, size) {
			return reaches(size), nil
		}
	}
}

// file serves a tile or a bundle.
func (h *handler) file(w http.ResponseWriter, r *http.Request, name string, level, width int) {
	limit := tileBytes
	if level == LevelEntries {
		limit = maxBundle
	}
	data, err := readFile(h.fsys, name, limit, nil)
	if err != nil {
		refuse(w, statusOf(err))
		return
	}
	cache := "public"
	if level != LevelEntries {
		if len(data) != width*tlog.HashSize {
			refuse(w, http.StatusInternalServerError)
			return
		}
	} else {
		if _, err := Entries(data, width); err != nil {
			refuse(w, http.StatusInternalServerError)
			return
		}
		if !h.options.InsecureEntries {
			cache = "private" // whoever asks a shared cache has not been asked who he is
		}
		w.Header().Set("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			w.Header().Set("Content-Encoding", "gzip")
			data = h.compress(data)
		}
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", cache+", max-age=31536000, immutable")
	send(w, data)
}

func (h *handler) compress(data []byte) []byte {
	z, ok := h.gzips.Get().(*gzip.Writer)
	if !ok {
		z, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
	}
	defer h.gzips.Put(z)
	var b bytes.Buffer
	z.Reset(&b)
	z.Write(data) // into memory: cannot fail
	z.Close()
	return b.Bytes()
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3).
func acceptsGzip(r *http.Request) bool {
	for _, header := range r.Header.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(header, ",") {
			name, weight, _ := strings.Cut(coding, ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			q, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(weight)), "q=")
			if !ok {
				return true
			}
			value, err := strconv.ParseFloat(q, 64)
			return err == nil && value > 0
		}
	}
	return false
}

func statusOf(err error) int {
	if errors.Is(err, fs.ErrNotExist) {
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}

func send(w http.ResponseWriter, data []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.Write(data)
}

func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, strings.ToLower(http.StatusText(status)))
}
