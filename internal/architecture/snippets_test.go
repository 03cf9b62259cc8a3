package architecture_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// snippet is one ```go block of a document: a whole file that a reader can copy.
type snippet struct {
	doc  string
	line int
	text string
}

func snippets(doc, text string) (list []snippet) {
	inside := false
	n := 0
	for line := range strings.Lines(text) {
		n++
		switch fence := strings.TrimRight(line, " \r\n"); {
		case inside && fence == "```":
			inside = false
		case inside:
			list[len(list)-1].text += line
		case fence == "```go":
			inside = true
			list = append(list, snippet{doc: doc, line: n + 1})
		}
	}
	return list
}

// fault says why a reader could not use the snippet, before the compiler is asked.
func (s snippet) fault() string {
	f, err := parser.ParseFile(token.NewFileSet(), s.doc, s.text, parser.SkipObjectResolution)
	if err != nil {
		return err.Error()
	}
	ours := false
	for _, spec := range f.Imports {
		room, ok := own(strings.Trim(spec.Path.Value, `"`))
		if ok && !importable(room) {
			return "imports " + room + ", which readers cannot"
		}
		ours = ours || ok
	}
	switch {
	case strings.Contains(s.text, "placeholder"):
		return "is a placeholder"
	case !ours:
		return "imports nothing of this module"
	case f.Name.Name == "main" && !slices.ContainsFunc(f.Decls, isMain):
		return "package main without func main"
	}
	return ""
}

func isMain(decl ast.Decl) bool {
	fn, ok := decl.(*ast.FuncDecl)
	return ok && fn.Recv == nil && fn.Name.Name == "main"
}

// vet compiles the snippet as a file of the module, from outside its tree.
func (s snippet) vet(t *testing.T) (output string, err error) {
	t.Helper()
	root, err := filepath.Abs(top)
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "snippet.go")
	source := fmt.Sprintf("//line %s:%d\n%s", filepath.Join(root, s.doc), s.line, s.text)
	require.NoError(t, os.WriteFile(name, []byte(source), 0o600))
	cmd := exec.CommandContext(t.Context(), "go", "vet", name)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// documents are README.md and everything in docs/, by their paths below the root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob(top + "/docs/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	texts := map[string]string{}
	for _, name := range append(names, top+"/README.md", top+"/CONTRIBUTING.md", top+"/SECURITY.md", top+"/CHANGELOG.md") {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		rel, err := filepath.Rel(top, name)
		require.NoError(t, err)
		texts[rel] = string(text)
	}
	return texts
}

func TestSnippetsCompile(t *testing.T) {
	texts := documents(t)
	for _, doc := range []string{"README.md", "docs/adopt.md"} {
		require.NotEmpty(t, snippets(doc, texts[doc]), "%s shows code", doc)
	}
	for doc, text := range texts {
		for _, s := range snippets(doc, text) {
			t.Run(fmt.Sprintf("%s:%d", doc, s.line), func(t *testing.T) {
				require.Empty(t, s.fault())
				output, err := s.vet(t)
				require.NoError(t, err, output)
			})
		}
	}
}

func TestBadSnippetsAreFound(t *testing.T) {
	const head = "package main\n\nimport \"github.com/cloudopsec/opsec\"\n\n"
	doc := "text\n```go\n" + head + "func main() { println(opsec.NewID()) }\n```\n" +
		"```sh\ngo test\n```\n```go\n" + head + "func main() { println(opsec.NoSuchThing) }\n```\n"
	list := snippets("README.md", doc)
	require.Len(t, list, 2)
	require.Equal(t, 3, list[0].line)
	output, err := list[0].vet(t)
	require.NoError(t, err, output)
	output, err = list[1].vet(t)
	require.Error(t, err)
	require.Contains(t, output, "README.md:17:")
	require.Contains(t, output, "NoSuchThing")

	for text, want := range map[string]string{
		"func f() {}\n":                                         "expected 'package'",
		"package main\n\nfunc main() {}\n":                      "imports nothing of this module",
		head + "var _ = opsec.NewID\n":                          "without func main",
		head + "func main() {} // placeholder\n":                "is a placeholder",
		"package p\n\nimport _ \"" + module + "/internal/x\"\n": "imports internal/x, which readers cannot",
	} {
		require.Contains(t, snippet{doc: "a.md", line: 1, text: text}.fault(), want)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	example = regexp.MustCompile(`\./(examples/[a-z0-9/]*[a-z0-9])`)
)

// deadLinks returns the relative links and the examples that a document names and the tree does not have.
func deadLinks(doc, text string, exists func(string) bool) (dead []string) {
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if !strings.Contains(m[1], ":") && !exists(filepath.Join(filepath.Dir(doc), m[1])) {
			dead = append(dead, doc+": "+m[1])
		}
	}
	for _, m := range example.FindAllStringSubmatch(text, -1) {
		if !exists(m[1]) {
			dead = append(dead, doc+": "+m[1])
		}
	}
	return dead
}

func TestDocumentsNameFilesThatExist(t *testing.T) {
	exists := func(name string) bool {
		_, err := os.Stat(filepath.Join(top, name))
		return err == nil
	}
	for doc, text := range documents(t) {
		for _, dead := range deadLinks(doc, text, exists) {
			t.Error(dead)
		}
	}
	require.Equal(t, []string{"docs/a.md: gone.md", "docs/a.md: examples/gone"},
		deadLinks("docs/a.md", "[a](gone.md#x) [b](../README.md) [c](https://example.com) `go run ./examples/gone`", exists))
}
