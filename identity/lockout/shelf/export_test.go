package shelf

// Rows is the collection, for tests.
var Rows = rows
