//! `spec.transformation`: the configuration of the transformation filter, with references in the place of what the
//! controller puts there (filters/transformation/src/config.rs, filters/transformation/README.md).

use super::shape::{
    Field, Shape, boolean, integer, list, map, namespace, object, object_name, optional, required, text,
};

/// The filter takes so many entries in each list and map.
const MOST: u64 = 16;
/// The filter takes names of so many characters.
const LONGEST_NAME: u64 = 256;

pub(super) fn transformation() -> Shape {
    object([
        optional("request", transform().about("For the request.")),
        optional("response", transform().about("For the response, be it the upstream's or Envoy's own.")),
        optional(
            "onStreamComplete",
            object([optional("dynamicMetadata", metadata())])
                .about("When the exchange is over, for access logs."),
        ),
        optional(
            "statPrefix",
            text().about("What happens to messages is counted and measured under this prefix, too."),
        ),
        optional("secrets", map(secret()).about("What `secret(name)` reads.")),
        optional("dataSources", map(data_source()).about("What `data_source(name)` reads.")),
    ])
    .about("Changes requests and responses.")
}

fn secret() -> Shape {
    let reference = object([
        required("name", object_name().about("Name of the Secret.")),
        optional(
            "namespace",
            namespace().about("Its namespace; the policy's own by default. Another's must grant it."),
        ),
    ]);
    object([
        required("secretRef", reference.about("The Secret.")),
        required("key", text().filled().about("Which of its values.")),
    ])
}

fn data_source() -> Shape {
    let reference =
        object([required("name", object_name().about("Name of the ConfigMap, in the policy's namespace."))]);
    object([
        optional("inline", text().about("The text.")),
        optional("configMapRef", reference.about("A ConfigMap that has the text.")),
        optional("key", text().filled().about("Which of its texts.")),
    ])
}

fn transform() -> Shape {
    let alternative = object([
        optional("match", matcher()),
        required("transform", object(fields()).about("What to do with them.")),
    ]);
    let alternatives = list(alternative).items(0, MOST);
    let about = "Other transforms for some messages. The first whose match holds takes the place of all fields beside this one.";
    object(fields().into_iter().chain([optional("matches", alternatives.about(about))]))
}

/// All fields of a transform but its alternatives.
fn fields() -> Vec<Field> {
    let mut fields = vec![
        optional("set", headers().about("Header fields to replace, in this order.")),
        optional("add", headers().about("Header fields to append, in this order.")),
        optional("remove", list(text()).items(0, MOST).about("Names of header fields to remove.")),
        optional("body", body().about("How to read the body, and what to put in its place.")),
        optional("dynamicMetadata", metadata()),
    ];
    fields.extend(body_fields());
    fields.extend(mode_fields());
    fields
}

fn body_fields() -> [Field; 5] {
    let merge = object([
        required(
            "template",
            text().about("Template of the value: JSON, or else a text that becomes a JSON string."),
        ),
        optional(
            "overrideEmpty",
            boolean().about("What renders to nothing makes the member an empty string."),
        ),
    ]);
    let wrap = object([optional(
        "addRequestMetadata",
        boolean().about("Adds method, path, query and repeated headers. Requests only."),
    )]);
    [
        optional(
            "extractors",
            map(extractor())
                .entries(0, MOST)
                .about("Parts of headers and of the body, which `extraction(name)` reads."),
        ),
        optional(
            "mergeJson",
            map(merge)
                .entries(0, MOST)
                .about("Members of the JSON body to set, by their path: names joined by dots."),
        ),
        optional(
            "mergeExtractorsToBody",
            object([]).about("Puts what each extractor finds into the JSON body."),
        ),
        optional("passthrough", object([]).about("The body is neither read nor held nor replaced.")),
        optional(
            "headerBodyTransform",
            wrap.about("The new body is a JSON document of the headers and the body."),
        ),
    ]
}

fn mode_fields() -> [Field; 5] {
    [
        optional(
            "ignoreErrorOnParse",
            boolean().about("A body that is no JSON has no members, and is no error."),
        ),
        optional(
            "escapeCharacters",
            boolean().about("Texts print as they stand between the quotes of a JSON string."),
        ),
        optional("spanName", text().about("Template of the name of the active span.")),
        optional(
            "errorMode",
            text().one_of(&["Reject", "Skip"]).about("What becomes of a message that cannot be transformed."),
        ),
        optional(
            "clearRouteCache",
            boolean().about(
                "Selects the route anew, from the headers as they are after the transform. Requests only.",
            ),
        ),
    ]
}

fn headers() -> Shape {
    let header = object([
        required(
            "name",
            text()
                .length(1, LONGEST_NAME)
                .about("Field name, or one of :method, :path, :authority and :status."),
        ),
        optional(
            "value",
            text().about("Template of the value. None, or one that renders to nothing, removes the field."),
        ),
    ]);
    list(header).items(0, MOST).by("name")
}

fn body() -> Shape {
    object([
        optional(
            "parseAs",
            text()
                .one_of(&["AsString", "AsJson", "None"])
                .about("What templates may know of the body; AsString by default."),
        ),
        optional("value", text().about("Template of the new body. None leaves the body as it is.")),
        optional("decompress", boolean().about("Envoy undoes gzip, brotli and zstd before. Responses only.")),
    ])
}

fn metadata() -> Shape {
    let value = object([
        optional("stringValue", text().filled().about("Template of a string.")),
        optional("jsonValue", text().filled().about("Template of a JSON text, whose types are kept.")),
    ]);
    let entry = object([
        required("namespace", text().length(1, LONGEST_NAME).about("Namespace, mostly a filter's name.")),
        required("key", text().length(1, LONGEST_NAME).about("Key within the namespace.")),
        required("value", value.exactly_one(&["stringValue", "jsonValue"]).about("The value.")),
    ]);
    list(entry).items(0, MOST).about("Dynamic metadata to set, for later filters and access logs.")
}

fn extractor() -> Shape {
    object([
        optional(
            "header",
            text().length(1, LONGEST_NAME).about("Name of the header whose first value is searched."),
        ),
        optional("body", object([]).about("The body is searched.")),
        required("regex", text().about("Regular expression in RE2's syntax.")),
        optional("subgroup", integer().from(0).about("Which group is meant; 0 is the whole match.")),
        optional(
            "mode",
            text().one_of(&["Extract", "SingleReplace", "ReplaceAll"]).about("What is made of the text."),
        ),
        optional("replacementText", text().about("What matches are replaced by.")),
    ])
    .exactly_one(&["header", "body"])
}

fn matcher() -> Shape {
    let path = object([
        optional(
            "type",
            text().one_of(&["Exact", "PathPrefix", "RegularExpression"]).about("How value is meant."),
        ),
        required("value", text().about("Path, prefix or expression.")),
    ]);
    object([
        optional("path", path.about("Of the request's path, without its query.")),
        optional("method", text().about("The request's method.")),
        optional("headers", named_matches().about("Of the headers of the message that is transformed.")),
        optional("queryParams", named_matches().about("Of the request's query.")),
        optional(
            "status",
            list(text()).items(0, MOST).about("One of these: 404, 5xx or 400-499. Responses only."),
        ),
        optional(
            "responseCodeDetails",
            object(text_match()).about("Of Envoy's details of its response code. Responses only."),
        ),
    ])
    .about("For which messages. Without conditions: for all.")
}

fn named_matches() -> Shape {
    let name = required("name", text().about("Name."));
    list(object([name].into_iter().chain(text_match()))).items(0, MOST)
}

fn text_match() -> [Field; 2] {
    [
        optional("type", text().one_of(&["Exact", "RegularExpression"]).about("How value is meant.")),
        required("value", text().about("Text or expression.")),
    ]
}
