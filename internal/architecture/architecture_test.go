package architecture_test

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// top is the module's root, as tests of this package see it.
const top = "../.."

func rooms(t *testing.T, fsys fs.FS) []room {
	t.Helper()
	list, err := read(fsys)
	require.NoError(t, err)
	require.NotEmpty(t, list)
	return list
}

func TestHousePlanHolds(t *testing.T) {
	tree := rooms(t, os.DirFS(top))
	for name, check := range rules {
		t.Run(name, func(t *testing.T) {
			for _, broken := range check(tree) {
				t.Error(broken)
			}
		})
	}
}

func TestNestedModulesUseTheRootBesideThem(t *testing.T) {
	found := map[string]bool{}
	for _, r := range rooms(t, os.DirFS(top)) {
		if r.nested == "" || found[r.nested] {
			continue
		}
		found[r.nested] = true
		text, err := os.ReadFile(path.Join(top, r.nested, "go.mod"))
		require.NoError(t, err)
		up := strings.Repeat("../", strings.Count(r.nested, "/")) + ".."
		require.Regexp(t, `(?m)^module `+module+"/"+r.nested+`$`, string(text))
		require.Regexp(t, `(?m)^(replace|\t)\s*`+module+` => `+regexp.QuoteMeta(up)+`/?$`, string(text))
	}
}

func TestPlanKeepsDomainsApart(t *testing.T) {
	for _, broken := range apart() {
		t.Error(broken)
	}
}

// apart checks the plan itself: a domain's row names the foundation and its own family, and no edge runs both ways.
func apart() (broken []string) {
	for _, r := range plan {
		if in(r.room, "internal/... examples/...") || strings.HasSuffix(r.room, "/...") {
			continue
		}
		for _, to := range strings.Fields(r.may) {
			back, _ := mayImport(to)
			switch {
			case to == r.room || in(r.room, back):
				broken = append(broken, r.room+" and "+to+" import each other")
			case !in(to, foundation) && to != "internal/..." && family(to) != family(r.room):
				broken = append(broken, r.room+" may import "+to+", another domain")
			}
		}
	}
	return broken
}

func TestPlanThatJoinsDomainsIsFound(t *testing.T) {
	now := plan
	t.Cleanup(func() { plan = now })
	plan = append(slices.Clone(now), row{"patch/new", "opsec sla"})
	require.Equal(t, []string{"patch/new may import sla, another domain"}, apart())
	plan = append(slices.Clone(now), row{"patch/a", "patch/b"}, row{"patch/b", "patch/a"})
	require.Equal(t, []string{
		"patch/a and patch/b import each other",
		"patch/b and patch/a import each other",
	}, apart())
}

// sound is a small tree that breaks no rule.
var sound = map[string]string{
	"go.mod":                "module github.com/cloudopsec/opsec\n",
	"doc.go":                "// Package opsec is small.\npackage opsec\n\nimport _ \"context\"\n",
	"audit/doc.go":          "// Package audit is small.\npackage audit\n\nimport _ \"github.com/cloudopsec/opsec\"\n",
	"audit/audit_test.go":   "package audit_test\n\nimport _ \"github.com/stretchr/testify/require\"\n",
	"examples/tour/main.go": "package main\n\nimport _ \"github.com/cloudopsec/opsec/audit\"\n",
	"internal/bench/go.mod": "module github.com/cloudopsec/opsec/internal/bench\n",
	"internal/bench/b.go":   "package bench\n\nimport _ \"github.com/cloudopsec/opsec/audit\"\n",
	"audit/testdata/x.go":   "this is not Go",
}

func synthetic(extra map[string]string) fs.FS {
	fsys := fstest.MapFS{}
	for _, files := range []map[string]string{sound, extra} {
		for name, text := range files {
			fsys[name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return fsys
}

func importing(pkg string, imports ...string) string {
	text := "package " + pkg + "\n\nimport (\n"
	for _, i := range imports {
		text += "\t_ \"" + i + "\"\n"
	}
	return text + ")\n"
}

func TestEveryRuleCanFail(t *testing.T) {
	long := func(pkg string, lines int) string { return "package " + pkg + strings.Repeat("\n", lines) }
	tests := []struct {
		rule, path, text, want string
	}{
		{"arrows", "stray/doc.go", "// Package stray is new.\npackage stray\n", "stray: no row"},
		{"arrows", "doc.go", importing("opsec", module+"/audit"), "doc.go: imports audit"},
		{"arrows", "approval/a.go", importing("approval", module+"/store"), "approval/a.go: imports store"},
		{"arrows", "backup/a.go", importing("backup", module+"/audit"), "backup/a.go: imports audit"},
		{"arrows", "backup/a_test.go", importing("backup", module+"/audit"), "backup/a_test.go: imports audit"},
		{"arrows", "backup/a.go", importing("backup", module+"/backup/plan"), "backup/a.go: imports backup/plan"},
		{"arrows", "backup/a.go", importing("backup", module+"/audit/audittest"), "backup/a.go: imports audit/audittest"},
		{"arrows", "internal/canon/a.go", importing("canon", module+"/audit"), "internal/canon/a.go: imports audit"},
		{"nested", "internal/bench/b.go", importing("bench", module+"/internal/canon"), "canon, which is not public"},
		{"confined", "backup/a.go", importing("backup", "github.com/jackc/pgx/v5"), `v5, which is for "store/postgres"`},
		{"confined", "backup/a_test.go", importing("backup", "go.etcd.io/bbolt"), `which is for "store/bolt"`},
		{"confined", "backup/a.go", importing("backup", "gopkg.in/yaml.v3"), `which is for ""`},
		{"confined", "backup/a.go", importing("backup", "github.com/stretchr/testify/assert"), "outside tests"},
		{"confined", "internal/x/a.go", importing("x", "pgregory.net/rapid"), "outside tests"},
		{"suites", "audit/audittest/a.go", importing("audittest", "golang.org/x/sys/unix"), "an exported suite imports"},
		{"root", "event.go", importing("opsec", "golang.org/x/crypto/ssh"), "standard library only"},
		{"root", "event.go", importing("opsec", module+"/audit"), "standard library only"},
		{"root", "event.go", long("opsec", maxRoot), "opsec: 704 lines"},
		{"sizes", "audit/a.go", long("audit", maxFile+1), "audit/a.go: 601 lines"},
		{"sizes", "audit/a_test.go", long("audit", maxTestFile+1), "audit/a_test.go: 901 lines"},
		{"sizes", "audit/a.go", long("audit", maxRoom), "audit: 3004 lines"},
		{"names", "internal/util/a.go", "package tidy\n", "the name says nothing"},
		{"names", "internal/tidy/a.go", "package common\n", "the name says nothing"},
		{"init", "audit/a.go", "package audit\n\nfunc init() {}\n", "audit/a.go: func init"},
		{"init", "internal/bench/a.go", "package bench\n\nfunc init() {}\n", "bench/a.go: func init"},
		{"packages", "calendar/a.go", "// Package calendar is here.\npackage calendar\n", "calendar: no doc.go"},
		{"packages", "audit/doc.go", "package audit\n", "audit: no doc.go"},
		{"symbols", "audit/a.go", "package audit\n\nfunc New() {}\n", "audit/a.go: New has no doc"},
		{"symbols", "audit/a.go", "package audit\n\ntype S[K any] struct{}\n", "S has no doc"},
		{"symbols", "audit/a.go", "package audit\n\nfunc (s *S[K]) Do() {}\n", "S.Do has no doc"},
		{"symbols", "audit/a.go", "package audit\n\nvar X, y = 1, 2\n", "X has no doc"},
	}
	tried := map[string]bool{}
	for _, test := range tests {
		t.Run(test.rule+" "+test.path, func(t *testing.T) {
			check := rules[test.rule]
			require.Empty(t, check(rooms(t, synthetic(nil))), "the sound tree")
			broken := check(rooms(t, synthetic(map[string]string{test.path: test.text})))
			require.NotEmpty(t, broken)
			require.Contains(t, strings.Join(broken, "\n"), test.want)
		})
		tried[test.rule] = true
	}
	require.Equal(t, slices.Sorted(maps.Keys(rules)), slices.Sorted(maps.Keys(tried)), "each rule has its bad tree")
}

func TestWhatIsAllowedPasses(t *testing.T) {
	doc := func(pkg string, imports ...string) string {
		return "// Package " + pkg + " is small.\n" + importing(pkg, imports...)
	}
	tree := rooms(t, synthetic(map[string]string{
		"audit/translog/doc.go": doc("translog", module, module+"/store", module+"/audit"),
		"audit/a.go":            "package audit\n\n// E is.\ntype E string\n\nfunc (E) Error() string { return \"\" }\n",
		"audit/b.go":            "package audit\n\ntype e struct{}\n\nfunc (e) Do() {}\n",
		"audit/init_test.go":    "package audit\n\nfunc init() {}\n",
		"backup/doc.go":         doc("backup", module+"/internal/canon", "github.com/zeebo/blake3"),
		"backup/b_test.go": importing("backup_test",
			module+"/backup", module+"/backup/plan", module+"/audit/audittest"),
		"store/postgres/doc.go":   doc("postgres", "github.com/jackc/pgx/v5/pgxpool", module+"/store"),
		"internal/bench/x/a.go":   importing("x", module+"/internal/bench", "github.com/stretchr/testify/require"),
		"examples/tour/a_test.go": importing("main", module+"/audit/audittest"),
	}))
	for name, check := range rules {
		require.Empty(t, check(tree), name)
	}
}
