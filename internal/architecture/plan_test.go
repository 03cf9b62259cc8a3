package architecture_test

// The house plan in three tables. A room is named by its path below the module's root; the root itself is "opsec".
// A list is words between spaces; "x/..." stands for x and all below it, "..." for every room.

// foundation is what every domain may build on.
const foundation = "opsec approval calendar store store/tuple store/lease store/feed store/outbox internal/... "

// row is a line of the plan: a room, and the rooms that its code may import.
type row struct{ room, may string }

// plan says what each room may import of this module. A room without a row is a violation, so a new room begins here.
// Inside a family an edge runs from child to parent or from parent to child; whoever needs one adds it to the row, and
// TestPlanKeepsDomainsApart keeps it from running both ways or to another domain.
//
// Tests of a room may also import its own family, the exported suites, and the engines of the store that need nothing
// but Go.
var plan = []row{
	{"opsec", ""},
	{"approval", "opsec"},
	{"calendar", "opsec"},
	{"calendar/ical", "opsec calendar"},

	{"store", "opsec internal/... store/tuple"},
	{"store/tuple", "opsec"},
	{"store/storetest", "opsec store"},
	{"store/storetest/dbtest", "opsec store store/storetest store/lease store/feed"},
	{"store/storetest/crashtest", "opsec store store/storetest"},
	{"store/storetest/history", "opsec store store/storetest"},
	{"store/storetest/storebench", "opsec store store/storetest"},
	{"store/memory", "opsec store internal/..."},
	{"store/bolt", "opsec store internal/..."},
	{"store/lease", "opsec store internal/..."},
	{"store/feed", "opsec store"},
	{"store/outbox", "opsec store store/lease internal/..."},
	{"store/migrate", "opsec store"},
	{"store/postgres", "opsec store internal/..."},
	{"store/postgres/pgtest", ""},
	{"store/etcd", "opsec store"},

	{"audit", foundation},
	{"audit/audittest", "opsec audit"},
	{"audit/translog", foundation + "audit audit/translog/tile audit/translog/checkpoint audit/translog/entry audit/translog/subject " +
		"audit/translog/index audit/translog/heads audit/translog/export audit/translog/statement audit/translog/verify " +
		"audit/translog/internal/ledger"},
	{"audit/translog/internal/ledger", "opsec internal/... audit/translog/entry audit/translog/index audit/translog/heads"},
	{"audit/translog/verify", "opsec internal/... audit/translog/tile audit/translog/checkpoint audit/translog/entry " +
		"audit/translog/index audit/translog/heads audit/translog/internal/ledger"},
	{"audit/translog/statement", "opsec internal/... audit/translog/checkpoint audit/translog/entry audit/translog/heads " +
		"audit/translog/export"},
	{"audit/translog/tile", "opsec internal/..."},
	{"audit/translog/checkpoint", "opsec internal/..."},
	{"audit/translog/entry", "opsec internal/..."},
	{"audit/translog/subject", "opsec internal/... audit/translog/entry"},
	{"audit/translog/index", "opsec internal/..."},
	{"audit/translog/heads", "opsec internal/..."},
	{"audit/translog/export", "opsec internal/..."},
	{"audit/accounts", foundation},
	{"audit/accounts/table", foundation + "audit/accounts"},
	{"audit/accounts/tally", foundation + "audit/accounts audit/accounts/table"},
	{"audit/accounts/dataaccess", foundation + "audit/accounts"},
	{"audit/accounts/correlate", foundation + "audit/accounts"},
	{"audit/programme", foundation + "audit/programme/catalogue audit/programme/competence audit/programme/sample " +
		"audit/programme/independence"},
	{"audit/programme/catalogue", foundation},
	{"audit/programme/competence", foundation},
	{"audit/programme/sample", foundation},
	{"audit/programme/independence", foundation},
	{"audit/programme/shelf", foundation + "audit/programme"},
	{"audit/programme/report", foundation + "audit/programme audit/programme/catalogue audit/programme/competence " +
		"audit/programme/sample audit/programme/independence"},
	{"audit/programme/oscal", foundation + "audit/programme audit/programme/catalogue audit/programme/competence " +
		"audit/programme/sample audit/programme/independence audit/programme/report"},

	{"identity", foundation + "identity/name"},
	{"identity/name", foundation},
	{"identity/lockout", foundation},
	{"identity/lockout/shelf", foundation + "identity/lockout"},
	{"identity/lockout/device", foundation},
	{"identity/lockout/spray", foundation},
	{"identity/password", foundation},
	{"identity/password/blocklist", foundation},
	{"identity/password/strength", foundation},
	{"identity/password/secret", foundation},
	{"identity/password/hash", foundation},
	{"identity/password/credential", foundation + "identity/password identity/password/hash"},
	{"identity/password/replica", foundation + "identity/password/hash"},
	{"identity/session", foundation},
	{"identity/session/shelf", foundation + "identity/session"},
	{"identity/login", foundation + "identity/lockout identity/password/hash identity/session"},
	{"identity/authn", foundation},
	{"identity/authn/ldap", foundation + "identity/authn"},
	{"identity/authn/oidc", foundation + "identity/authn"},
	{"identity/authn/webauthn", foundation + "identity/authn"},
	{"identity/authn/saml", foundation + "identity/authn"},
	{"identity/scim", foundation},

	{"accesscontrol", foundation},
	{"accesscontrol/elevation", foundation},

	{"keymgmt", foundation},
	{"keymgmt/lifecycle", foundation + "keymgmt"},
	{"keymgmt/shelf", foundation + "keymgmt"},
	{"keymgmt/keyring", foundation + "keymgmt"},
	{"keymgmt/envelope", foundation + "keymgmt"},
	{"keymgmt/transit", foundation},
	{"keymgmt/rewrap", foundation + "keymgmt"},
	{"keymgmt/erasure", foundation + "keymgmt"},
	{"keymgmt/statement", foundation + "keymgmt"},
	{"keymgmt/custody", foundation + "keymgmt"},
	{"keymgmt/custody/shares", foundation},
	{"keymgmt/custody/ceremony", foundation + "keymgmt/custody/shares"},
	{"keymgmt/custody/thirdparty", foundation + "keymgmt"},
	{"keymgmt/custody/custodytest", "opsec keymgmt keymgmt/custody"},
	{"keymgmt/custody/pkcs11", foundation + "keymgmt keymgmt/custody"},

	{"backup", foundation + "backup/digest backup/trust"},
	{"backup/digest", foundation},
	{"backup/trust", foundation},
	{"backup/plan", foundation},
	{"backup/retention", foundation},
	{"backup/timetable", foundation},
	{"backup/recovery", foundation + "backup backup/digest backup/trust"},
	{"backup/catalogue", foundation + "backup/plan backup/retention backup/recovery"},
	{"backup/report", foundation + "backup/plan backup/retention backup/timetable backup/recovery backup/catalogue backup/dr"},
	{"backup/snapshot", foundation},
	{"backup/snapshot/image", foundation + "backup/snapshot"},
	{"backup/dr", foundation},
	{"backup/dr/pgreplica", foundation + "backup/dr"},
	{"backup/dr/fence", foundation + "backup/dr"},
	{"backup/dr/treemirror", foundation + "backup backup/digest backup/trust backup/dr backup/dr/fence"},

	{"patch", foundation},
	{"patch/advisory", foundation},
	{"patch/version", foundation},
	{"patch/priority", foundation},

	{"configbaseline", foundation},
	{"configbaseline/fact", foundation},
	{"configbaseline/rule", foundation},
	{"configbaseline/scap", foundation},
	{"configbaseline/netrule", foundation},
	{"configbaseline/cmdb", foundation},

	{"sla", foundation + slaParts},
	{"sla/ratio", foundation},
	{"sla/timeline", foundation},
	{"sla/metric", foundation + "sla/ratio sla/timeline"},
	{"sla/response", foundation + "sla/ratio"},
	{"sla/credit", foundation + "sla/ratio"},
	{"sla/responsibility", foundation},
	{"sla/meter", foundation + "sla/ratio sla/timeline sla/metric"},
	{"sla/evidence", foundation + "sla/timeline sla/metric sla/meter sla/response"},
	{"sla/budget", foundation + "sla/ratio sla/metric"},
	{"sla/composition", foundation + "sla/ratio"},
	{"sla/comparison", foundation + slaParts + " sla"},
	{"sla/openslo", foundation + slaParts + " sla"},
	{"sla/claim", foundation + slaParts + " sla"},
	{"sla/recompute", foundation + slaParts + " sla sla/meter"},
	{"sla/document", foundation + slaParts + " sla sla/recompute sla/comparison sla/claim"},
	{"sla/monitor", foundation},
	{"sla/monitor/sigma", foundation},
	{"sla/incident", foundation},
	{"sla/emergency", foundation},
	{"sla/notify", foundation},

	{"internal/...", "opsec internal/..."},
	{"internal/layout", "opsec store/tuple"},
	{"internal/slot", "opsec internal/layout store/tuple"},
	{"internal/vault", "opsec store/tuple"},
	{"internal/bench/...", "..."},
	{"internal/interop/...", "..."},
	{"examples/...", "..."},
}

// slaParts are what an agreement is made of.
const slaParts = "sla/ratio sla/timeline sla/metric sla/response sla/credit sla/responsibility"

// suites are test suites that users run against implementations of their own: standard library and opsec alone.
const suites = "store/storetest/... audit/audittest keymgmt/custody/custodytest"

// engines are what tests of rooms that keep things may keep them in.
const engines = "store/memory store/bolt"

// confined says which rooms may import a third-party module, tests included. What is not listed is free.
var confined = []struct{ module, rooms string }{
	{"github.com/jackc/...", "store/postgres"},
	{"go.etcd.io/bbolt/...", "store/bolt"},
	{"go.etcd.io/etcd/...", "store/etcd"},
	{"github.com/tink-crypto/...", "keymgmt/keyring keymgmt/envelope keymgmt/custody keymgmt/custody/thirdparty"},
	{"github.com/cedar-policy/cedar-go/...", "accesscontrol"},
	{"github.com/go-ldap/...", "identity/authn/ldap"},
	{"github.com/coreos/go-oidc/...", "identity/authn/oidc"},
	{"golang.org/x/oauth2/...", "identity/authn/oidc"},
	{"github.com/go-webauthn/...", "identity/authn/webauthn"},
	{"github.com/russellhaering/...", "identity/authn/saml"},
	{"github.com/miekg/pkcs11/...", "keymgmt/custody/pkcs11"},
	{"github.com/aws/...", "keymgmt/custody"},
	{"github.com/Azure/...", "keymgmt/custody"},
	{"cloud.google.com/...", "keymgmt/custody"},
	{"google.golang.org/api/...", "keymgmt/custody"},
	{"github.com/vbauerster/mpb/...", "examples/..."},
	{"github.com/chromedp/...", "examples/..."},

	{"github.com/google/tink/...", ""}, // in one binary with tink-crypto it panics at start
	{"gopkg.in/yaml.v2/...", ""},       // go.yaml.in/yaml/v4 is maintained
	{"gopkg.in/yaml.v3/...", ""},
	{"github.com/arran4/golang-ical/...", ""}, // takes a truncated file for a whole one; quadratic in hostile ones
}

// testOnly modules are imported by _test.go files alone.
const testOnly = "github.com/stretchr/testify/... pgregory.net/rapid/... " +
	"github.com/anishathalye/porcupine/... github.com/google/go-cmp/..."

// beside are the nested modules that measure or test against peers; confined does not bind them.
const beside = "internal/bench/... internal/interop/..."

// How large things grow before they are split, in lines, and what no package is called.
const (
	maxRoot     = 700  // package opsec, without its tests
	maxRoom     = 3000 // any other package, without its tests
	maxFile     = 600
	maxTestFile = 900

	emptyNames = "util utils common types helper helpers pkg misc base"
)
