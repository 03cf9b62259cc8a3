package architecture_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/cloudopsec/opsec"

// room is one package directory, with its tests.
type room struct {
	path   string // below the module's root; "opsec" is the root
	nested string // the directory of the nested module that it belongs to, or ""
	files  []file
}

type file struct {
	path    string
	test    bool
	lines   int
	imports []string
	syntax  *ast.File
}

// name is the package's name, or "" where there are only tests.
func (r room) name() string {
	for _, f := range r.files {
		if !f.test {
			return f.syntax.Name.Name
		}
	}
	return ""
}

// public reports whether users can import the room.
func (r room) public() bool { return importable(r.path) && r.name() != "main" && r.name() != "" }

func importable(room string) bool {
	parts := strings.Split(room, "/")
	return !slices.Contains(parts, "internal") && parts[0] != "examples"
}

// lines counts those of the room's code without tests.
func (r room) lines() int {
	n := 0
	for _, f := range r.files {
		if !f.test {
			n += f.lines
		}
	}
	return n
}

// read parses every Go file below fsys, whatever its build constraints, as the go command would find it; nested
// modules are read too. Rooms come in the order of their paths.
func read(fsys fs.FS) ([]room, error) {
	rooms := map[string]*room{}
	var modules []string
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (name[0] == '.' || name[0] == '_' || name == "testdata" || name == "vendor"):
			return fs.SkipDir
		case d.IsDir() && p != ".":
			if _, err := fs.Stat(fsys, p+"/go.mod"); err == nil {
				modules = append(modules, p)
			}
			return nil
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		f, err := readFile(fsys, p)
		if err != nil {
			return err
		}
		dir := path.Dir(p)
		r := rooms[dir]
		if r == nil {
			r = &room{path: dir}
			if dir == "." {
				r.path = "opsec"
			}
			for _, m := range modules { // parents come first, so the innermost stays
				if under(dir, m) {
					r.nested = m
				}
			}
			rooms[dir] = r
		}
		r.files = append(r.files, f)
		return nil
	})
	list := make([]room, 0, len(rooms))
	for _, dir := range slices.Sorted(maps.Keys(rooms)) {
		list = append(list, *rooms[dir])
	}
	return list, err
}

func readFile(fsys fs.FS, p string) (file, error) {
	src, err := fs.ReadFile(fsys, p)
	if err != nil {
		return file{}, err
	}
	syntax, err := parser.ParseFile(token.NewFileSet(), p, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return file{}, err
	}
	f := file{path: p, test: strings.HasSuffix(p, "_test.go"), lines: bytes.Count(src, []byte("\n")), syntax: syntax}
	for _, spec := range syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return file{}, err
		}
		f.imports = append(f.imports, imported)
	}
	return f, nil
}

// own returns the room that an import path names, when it is one of this module or of a nested one.
func own(imported string) (room string, ok bool) {
	if imported == module {
		return "opsec", true
	}
	return strings.CutPrefix(imported, module+"/")
}

func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

func under(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// in reports whether p is in a list of the plan.
func in(p, list string) bool {
	return slices.ContainsFunc(strings.Fields(list), func(pattern string) bool {
		dir, tree := strings.CutSuffix(pattern, "/...")
		return pattern == "..." || p == pattern || tree && under(p, dir)
	})
}

func family(room string) string {
	first, _, _ := strings.Cut(room, "/")
	return first
}
