package oscal

// The parts of OSCAL 1.2.1 that are written here, with the fields in the order of its schema. Lists that are empty are left
// out, as the schema demands.

type catalogFile struct {
	Catalog catalog `json:"catalog"`
}

type planFile struct {
	Plan assessmentPlan `json:"assessment-plan"`
}

type resultsFile struct {
	Results assessmentResults `json:"assessment-results"`
}

type poamFile struct {
	POAM poam `json:"plan-of-action-and-milestones"`
}

type catalog struct {
	UUID       string      `json:"uuid"`
	Metadata   metadata    `json:"metadata"`
	Controls   []control   `json:"controls,omitempty"`
	Groups     []group     `json:"groups,omitempty"`
	BackMatter *backMatter `json:"back-matter,omitempty"`
}

type group struct {
	ID       string     `json:"id"`
	Class    string     `json:"class"`
	Title    string     `json:"title"`
	Props    []property `json:"props,omitempty"`
	Controls []control  `json:"controls"`
}

type control struct {
	ID    string     `json:"id"`
	Title string     `json:"title"`
	Props []property `json:"props,omitempty"`
	Links []link     `json:"links,omitempty"`
	Parts []part     `json:"parts"`
}

type part struct {
	ID    string     `json:"id,omitempty"`
	UUID  string     `json:"uuid,omitempty"` // of an assessment's parts, which have no id
	Name  string     `json:"name"`
	NS    string     `json:"ns,omitempty"`
	Title string     `json:"title,omitempty"`
	Props []property `json:"props,omitempty"`
	Prose string     `json:"prose,omitempty"`
}

type assessmentPlan struct {
	UUID             string           `json:"uuid"`
	Metadata         metadata         `json:"metadata"`
	ImportSSP        reference        `json:"import-ssp"`
	LocalDefinitions *planDefinitions `json:"local-definitions,omitempty"`
	Terms            *terms           `json:"terms-and-conditions,omitempty"`
	ReviewedControls reviewedControls `json:"reviewed-controls"`
	Subjects         []selection      `json:"assessment-subjects,omitempty"`
	Assets           *assets          `json:"assessment-assets,omitempty"`
	Tasks            []task           `json:"tasks,omitempty"`
	BackMatter       *backMatter      `json:"back-matter,omitempty"`
}

type planDefinitions struct {
	Components []component `json:"components,omitempty"`
	Activities []activity  `json:"activities,omitempty"`
}

type terms struct {
	Parts []part `json:"parts"`
}

type assessmentResults struct {
	UUID       string      `json:"uuid"`
	Metadata   metadata    `json:"metadata"`
	ImportAP   reference   `json:"import-ap"`
	Results    []result    `json:"results"`
	BackMatter *backMatter `json:"back-matter,omitempty"`
}

type result struct {
	UUID             string             `json:"uuid"`
	Title            string             `json:"title"`
	Description      string             `json:"description"`
	Start            string             `json:"start"`
	End              string             `json:"end,omitempty"`
	Props            []property         `json:"props,omitempty"`
	LocalDefinitions *resultDefinitions `json:"local-definitions,omitempty"`
	ReviewedControls reviewedControls   `json:"reviewed-controls"`
	Log              *assessmentLog     `json:"assessment-log,omitempty"`
	Observations     []observation      `json:"observations,omitempty"`
	Risks            []risk             `json:"risks,omitempty"`
	Findings         []finding          `json:"findings,omitempty"`
	Remarks          string             `json:"remarks,omitempty"`
}

type resultDefinitions struct {
	InventoryItems []inventoryItem `json:"inventory-items"`
}

type poam struct {
	UUID             string           `json:"uuid"`
	Metadata         metadata         `json:"metadata"`
	ImportSSP        *reference       `json:"import-ssp,omitempty"`
	SystemID         *systemID        `json:"system-id,omitempty"`
	LocalDefinitions *poamDefinitions `json:"local-definitions,omitempty"`
	Observations     []observation    `json:"observations,omitempty"`
	Risks            []risk           `json:"risks,omitempty"`
	Findings         []finding        `json:"findings,omitempty"`
	Items            []poamItem       `json:"poam-items"`
	BackMatter       *backMatter      `json:"back-matter,omitempty"`
}

type poamDefinitions struct {
	InventoryItems []inventoryItem `json:"inventory-items,omitempty"`
	Assets         *assets         `json:"assessment-assets,omitempty"`
}

type poamItem struct {
	UUID                string           `json:"uuid"`
	Title               string           `json:"title"`
	Description         string           `json:"description"`
	Props               []property       `json:"props,omitempty"`
	RelatedFindings     []findingRef     `json:"related-findings,omitempty"`
	RelatedObservations []observationRef `json:"related-observations,omitempty"`
	RelatedRisks        []riskRef        `json:"related-risks,omitempty"`
}

type systemID struct {
	Type string `json:"identifier-type,omitempty"`
	ID   string `json:"id"`
}

type metadata struct {
	Title              string             `json:"title"`
	LastModified       string             `json:"last-modified"`
	Version            string             `json:"version"`
	OSCALVersion       string             `json:"oscal-version"`
	DocumentIDs        []documentID       `json:"document-ids,omitempty"`
	Props              []property         `json:"props,omitempty"`
	Roles              []role             `json:"roles,omitempty"`
	Parties            []party            `json:"parties,omitempty"`
	ResponsibleParties []responsibleParty `json:"responsible-parties,omitempty"`
	Remarks            string             `json:"remarks,omitempty"`
}

type documentID struct {
	Identifier string `json:"identifier"`
}

type role struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

type party struct {
	UUID  string     `json:"uuid"`
	Type  string     `json:"type"`
	Name  string     `json:"name"`
	Props []property `json:"props,omitempty"`
}

type responsibleParty struct {
	Role    string   `json:"role-id"`
	Parties []string `json:"party-uuids"`
}

type property struct {
	Name    string `json:"name"`
	NS      string `json:"ns,omitempty"` // none: OSCAL's own
	Value   string `json:"value"`
	Remarks string `json:"remarks,omitempty"`
}

type link struct {
	Href     string `json:"href"`
	Rel      string `json:"rel,omitempty"`
	Fragment string `json:"resource-fragment,omitempty"`
	Text     string `json:"text,omitempty"`
}

type reference struct {
	Href    string `json:"href"`
	Remarks string `json:"remarks,omitempty"`
}

type reviewedControls struct {
	Description string             `json:"description,omitempty"`
	Links       []link             `json:"links,omitempty"`
	Selections  []controlSelection `json:"control-selections"`
}

type controlSelection struct {
	Description string      `json:"description,omitempty"`
	Include     []controlID `json:"include-controls"`
	Exclude     []controlID `json:"exclude-controls,omitempty"`
	Remarks     string      `json:"remarks,omitempty"`
}

type controlID struct {
	ID string `json:"control-id"`
}

type activity struct {
	UUID            string             `json:"uuid"`
	Title           string             `json:"title,omitempty"`
	Description     string             `json:"description"`
	Props           []property         `json:"props,omitempty"`
	Steps           []step             `json:"steps,omitempty"`
	RelatedControls *reviewedControls  `json:"related-controls,omitempty"`
	Roles           []responsibleParty `json:"responsible-roles,omitempty"`
}

type step struct {
	UUID        string `json:"uuid"`
	Description string `json:"description"`
}

type task struct {
	UUID        string               `json:"uuid"`
	Type        string               `json:"type"`
	Title       string               `json:"title"`
	Description string               `json:"description,omitempty"`
	Props       []property           `json:"props,omitempty"`
	Timing      *timing              `json:"timing,omitempty"`
	Activities  []associatedActivity `json:"associated-activities,omitempty"`
	Roles       []responsibleParty   `json:"responsible-roles,omitempty"`
}

type timing struct { // one of the two
	On     *onDate `json:"on-date,omitempty"`
	Within *within `json:"within-date-range,omitempty"`
}

type onDate struct {
	Date string `json:"date"`
}

type within struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

type associatedActivity struct {
	UUID     string      `json:"activity-uuid"`
	Subjects []selection `json:"subjects"`
}

type selection struct { // of subjects: all, or some
	Type        string      `json:"type"`
	Description string      `json:"description,omitempty"`
	All         *struct{}   `json:"include-all,omitempty"`
	Include     []selectOne `json:"include-subjects,omitempty"`
}

type selectOne struct {
	UUID string `json:"subject-uuid"`
	Type string `json:"type"`
}

type subjectRef struct {
	UUID  string `json:"subject-uuid"`
	Type  string `json:"type"`
	Title string `json:"title,omitempty"`
}

type assets struct {
	Components []component `json:"components,omitempty"`
	Platforms  []platform  `json:"assessment-platforms"`
}

type platform struct {
	UUID  string          `json:"uuid"`
	Title string          `json:"title,omitempty"`
	Uses  []usesComponent `json:"uses-components,omitempty"`
}

type usesComponent struct {
	UUID string `json:"component-uuid"`
}

type component struct {
	UUID        string     `json:"uuid"`
	Type        string     `json:"type"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	Props       []property `json:"props,omitempty"`
	Status      status     `json:"status"`
}

type status struct {
	State   string `json:"state"`
	Remarks string `json:"remarks,omitempty"`
}

type inventoryItem struct {
	UUID        string     `json:"uuid"`
	Description string     `json:"description"`
	Props       []property `json:"props,omitempty"`
}

type assessmentLog struct {
	Entries []logEntry `json:"entries"`
}

type logEntry struct {
	UUID        string     `json:"uuid"`
	Title       string     `json:"title,omitempty"`
	Description string     `json:"description,omitempty"`
	Start       string     `json:"start"`
	End         string     `json:"end,omitempty"`
	Props       []property `json:"props,omitempty"`
	By          []loggedBy `json:"logged-by,omitempty"`
	Status      string     `json:"status-change,omitempty"`     // of a risk's log
	Responses   []answered `json:"related-responses,omitempty"` // of a risk's log
}

type loggedBy struct {
	Party string `json:"party-uuid"`
	Role  string `json:"role-id,omitempty"`
}

type answered struct {
	UUID string `json:"response-uuid"`
}

type observation struct {
	UUID        string       `json:"uuid"`
	Title       string       `json:"title,omitempty"`
	Description string       `json:"description"`
	Props       []property   `json:"props,omitempty"`
	Methods     []string     `json:"methods"`
	Types       []string     `json:"types,omitempty"`
	Origins     []origin     `json:"origins,omitempty"`
	Subjects    []subjectRef `json:"subjects,omitempty"`
	Evidence    []evidence   `json:"relevant-evidence,omitempty"`
	Collected   string       `json:"collected"`
}

type evidence struct {
	Href        string     `json:"href,omitempty"`
	Description string     `json:"description"`
	Props       []property `json:"props,omitempty"`
	Links       []link     `json:"links,omitempty"`
}

type origin struct {
	Actors []actor  `json:"actors"`
	Tasks  []ofTask `json:"related-tasks,omitempty"`
}

type ofTask struct {
	UUID string `json:"task-uuid"`
}

type actor struct {
	Type string `json:"type"`
	UUID string `json:"actor-uuid"`
	Role string `json:"role-id,omitempty"`
}

type risk struct {
	UUID                string             `json:"uuid"`
	Title               string             `json:"title"`
	Description         string             `json:"description"`
	Statement           string             `json:"statement"`
	Props               []property         `json:"props,omitempty"`
	Status              string             `json:"status"`
	Origins             []origin           `json:"origins,omitempty"`
	Characterizations   []characterization `json:"characterizations,omitempty"`
	Deadline            string             `json:"deadline,omitempty"`
	Remediations        []response         `json:"remediations,omitempty"`
	Log                 *assessmentLog     `json:"risk-log,omitempty"`
	RelatedObservations []observationRef   `json:"related-observations,omitempty"`
}

type characterization struct {
	Origin origin  `json:"origin"`
	Facets []facet `json:"facets"`
}

type facet struct {
	Name   string     `json:"name"`
	System string     `json:"system"`
	Value  string     `json:"value"`
	Props  []property `json:"props,omitempty"`
}

type response struct {
	UUID        string     `json:"uuid"`
	Lifecycle   string     `json:"lifecycle"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	Props       []property `json:"props,omitempty"`
	Links       []link     `json:"links,omitempty"`
	Origins     []origin   `json:"origins,omitempty"`
	Tasks       []task     `json:"tasks,omitempty"`
}

type finding struct {
	UUID                string           `json:"uuid"`
	Title               string           `json:"title"`
	Description         string           `json:"description"`
	Props               []property       `json:"props,omitempty"`
	Origins             []origin         `json:"origins,omitempty"`
	Target              target           `json:"target"`
	RelatedObservations []observationRef `json:"related-observations,omitempty"`
	RelatedRisks        []riskRef        `json:"related-risks,omitempty"`
}

type target struct {
	Type   string       `json:"type"`
	ID     string       `json:"target-id"`
	Status targetStatus `json:"status"`
}

type targetStatus struct {
	State   string `json:"state"`
	Reason  string `json:"reason"`
	Remarks string `json:"remarks,omitempty"`
}

type findingRef struct {
	UUID string `json:"finding-uuid"`
}

type observationRef struct {
	UUID string `json:"observation-uuid"`
}

type riskRef struct {
	UUID string `json:"risk-uuid"`
}

type backMatter struct {
	Resources []resource `json:"resources"`
}

type resource struct {
	UUID        string      `json:"uuid"`
	Title       string      `json:"title,omitempty"`
	Description string      `json:"description,omitempty"`
	Props       []property  `json:"props,omitempty"`
	Citation    *citation   `json:"citation,omitempty"`
	Links       []resLink   `json:"rlinks,omitempty"`
	Base64      *attachment `json:"base64,omitempty"`
}

type citation struct {
	Text string `json:"text"`
}

type resLink struct {
	Href      string `json:"href"`
	MediaType string `json:"media-type,omitempty"`
	Hashes    []hash `json:"hashes,omitempty"`
}

type hash struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"value"`
}

type attachment struct {
	Filename  string `json:"filename"`
	MediaType string `json:"media-type"`
	Value     string `json:"value"`
}
