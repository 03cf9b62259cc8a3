package architecture_test

import (
	"fmt"
	"go/ast"
	"path"
	"strings"
)

// rule returns what breaks it, a line each.
type rule func([]room) []string

var rules = map[string]rule{
	"arrows":   arrows,
	"nested":   nestedImportPublic,
	"confined": confinement,
	"suites":   suitesAreLight,
	"root":     rootIsSmall,
	"sizes":    sizes,
	"names":    names,
	"init":     noInit,
	"packages": packageDocs,
	"symbols":  symbolDocs,
}

// mayImport returns the row of the plan for a room: the exact one, or else the longest that ends in "/...".
func mayImport(room string) (list string, ok bool) {
	best := -1
	for _, r := range plan {
		if r.room == room {
			return r.may, true
		}
		if in(room, r.room) && len(r.room) > best {
			list, best = r.may, len(r.room)
		}
	}
	return list, best >= 0
}

func arrows(rooms []room) (broken []string) {
	for _, r := range rooms {
		list, ok := mayImport(r.path)
		if !ok {
			broken = append(broken, fmt.Sprintf("%s: no row in the plan (internal/architecture/plan_test.go)", r.path))
			continue
		}
		for _, f := range r.files {
			for _, imported := range f.imports {
				to, ours := own(imported)
				switch {
				case !ours || in(to, list):
				case f.test && (family(to) == family(r.path) || in(to, suites+" "+engines)):
				default:
					broken = append(broken, fmt.Sprintf("%s: imports %s; the plan allows %s: %q", f.path, to, r.path, list))
				}
			}
		}
	}
	return broken
}

func nestedImportPublic(rooms []room) (broken []string) {
	for _, r := range rooms {
		for _, f := range r.files {
			for _, imported := range f.imports {
				to, ours := own(imported)
				if r.nested != "" && ours && !under(to, r.nested) && !importable(to) {
					broken = append(broken, fmt.Sprintf("%s: a nested module imports %s, which is not public", f.path, to))
				}
			}
		}
	}
	return broken
}

func confinement(rooms []room) (broken []string) {
	for _, r := range rooms {
		for _, f := range r.files {
			for _, imported := range f.imports {
				if !f.test && in(imported, testOnly) && !in(r.path, beside) {
					broken = append(broken, fmt.Sprintf("%s: imports %s outside tests", f.path, imported))
				}
				for _, c := range confined {
					if in(imported, c.module) && !in(r.path, c.rooms) && !in(r.path, beside) {
						broken = append(broken, fmt.Sprintf("%s: imports %s, which is for %q alone", f.path, imported, c.rooms))
					}
				}
			}
		}
	}
	return broken
}

func suitesAreLight(rooms []room) (broken []string) {
	for _, r := range rooms {
		for _, f := range r.files {
			for _, imported := range f.imports {
				if _, ours := own(imported); in(r.path, suites) && !f.test && !ours && !standard(imported) {
					broken = append(broken, fmt.Sprintf("%s: an exported suite imports %s", f.path, imported))
				}
			}
		}
	}
	return broken
}

func rootIsSmall(rooms []room) (broken []string) {
	for _, r := range rooms {
		if r.path != "opsec" {
			continue
		}
		if n := r.lines(); n > maxRoot {
			broken = append(broken, fmt.Sprintf("opsec: %d lines without tests, at most %d", n, maxRoot))
		}
		for _, f := range r.files {
			for _, imported := range f.imports {
				if !f.test && !standard(imported) {
					broken = append(broken, fmt.Sprintf("%s: imports %s; package opsec is standard library only", f.path, imported))
				}
			}
		}
	}
	return broken
}

func sizes(rooms []room) (broken []string) {
	for _, r := range rooms {
		if n := r.lines(); n > maxRoom {
			broken = append(broken, fmt.Sprintf("%s: %d lines without tests, at most %d: split it by noun", r.path, n, maxRoom))
		}
		for _, f := range r.files {
			most := maxFile
			if f.test {
				most = maxTestFile
			}
			if f.lines > most {
				broken = append(broken, fmt.Sprintf("%s: %d lines, at most %d", f.path, f.lines, most))
			}
		}
	}
	return broken
}

func names(rooms []room) (broken []string) {
	for _, r := range rooms {
		if base := path.Base(r.path); in(base, emptyNames) || in(r.name(), emptyNames) {
			broken = append(broken, fmt.Sprintf("%s: package %s: the name says nothing", r.path, r.name()))
		}
	}
	return broken
}

func noInit(rooms []room) (broken []string) {
	for _, r := range rooms {
		for _, f := range r.files {
			for _, decl := range f.syntax.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && !f.test && fn.Recv == nil && fn.Name.Name == "init" {
					broken = append(broken, fmt.Sprintf("%s: func init", f.path))
				}
			}
		}
	}
	return broken
}

func packageDocs(rooms []room) (broken []string) {
	for _, r := range rooms {
		if !r.public() {
			continue
		}
		doc := ""
		for _, f := range r.files {
			if path.Base(f.path) == "doc.go" {
				doc = f.syntax.Doc.Text()
			}
		}
		if !strings.HasPrefix(doc, "Package "+r.name()+" ") {
			broken = append(broken, fmt.Sprintf("%s: no doc.go that begins with %q", r.path, "Package "+r.name()))
		}
	}
	return broken
}

// plainMethods need no comment: their names say all of it.
const plainMethods = "Error Unwrap String"

func symbolDocs(rooms []room) (broken []string) {
	for _, r := range rooms {
		if !r.public() {
			continue
		}
		for _, f := range r.files {
			if f.test {
				continue
			}
			for name, doc := range exported(f.syntax) {
				_, method, isMethod := strings.Cut(name, ".")
				if doc == "" && !(isMethod && in(method, plainMethods)) {
					broken = append(broken, fmt.Sprintf("%s: %s has no doc comment", f.path, name))
				}
			}
		}
	}
	return broken
}
