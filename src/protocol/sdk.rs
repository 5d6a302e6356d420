//! The SDKs that people have, by the names they know them by.

use super::dialect::Dialects;
use super::scheme::Schemes;

/// What a verifier accepts of an SDK.
pub(crate) struct Accepted {
    pub(crate) schemes: Schemes,
    pub(crate) dialects: Dialects,
    /// Whether it leaves `x-fc-log-type` and `x-fc-invocation-type` unsigned.
    pub(crate) plain_invocation: bool,
}

macro_rules! sdks {
    ($($(#[doc = $doc:literal])* $variant:ident = $package:literal, [$($scheme:ident)|+], [$($dialect:ident)|+], $plain:literal;)*) => {
        /// An SDK of Alibaba Cloud, and its major version: whom a verifier is to
        /// [expect](crate::Verifier::with_sdks).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Sdk {
            $($(#[doc = $doc])* $variant,)*
        }

        impl Sdk {
            /// Every SDK.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The package, as its registry names it.
            pub const fn package(self) -> &'static str {
                match self {
                    $(Self::$variant => $package,)*
                }
            }

            pub(crate) const fn accepted(self) -> Accepted {
                match self {
                    $(Self::$variant => Accepted {
                        schemes: Schemes::empty()$(.union(Schemes::$scheme))+,
                        dialects: Dialects::empty()$(.union(Dialects::$dialect))+,
                        plain_invocation: $plain,
                    },)*
                }
            }
        }
    };
}

sdks! {
    /// Python, `aliyun-fc2` 2. Recorded.
    PythonFc2 = "aliyun-fc2",
        [FC], [FC_PY_FC2 | FC_API], false;
    /// Python, `alibabacloud-fc-open20210406` 2. Tried live.
    PythonFcOpen20210406 = "alibabacloud-fc-open20210406",
        [FC | ACS3_HMAC_SHA256], [FC_PY_GATEWAY | ACS3_PY | STANDARD], false;
    /// Python, `alibabacloud-fc20230330` 4. Tried live.
    PythonFc20230330 = "alibabacloud-fc20230330",
        [ACS3_HMAC_SHA256], [STANDARD], false;
    /// Python, `alibabacloud-gateway-fc-util` 0. Tried live.
    PythonGatewayFcUtil = "alibabacloud-gateway-fc-util",
        [FC], [FC_PY_GATEWAY], false;
    /// Python, `alibabacloud-openapi-util` 0: in general, and as in the sample for HTTP triggers.
    /// Tried live.
    PythonOpenApiUtil = "alibabacloud-openapi-util",
        [ACS3_HMAC_SHA256 | ACS], [ACS3_PY | ACS3_PY_DOC | STANDARD], false;
    /// Node, `@alicloud/fc2` 2. Tried live.
    NodeFc2 = "@alicloud/fc2",
        [FC], [FC_NODE_FC2 | FC_API], false;
    /// Node, `@alicloud/fc20230330` 4. Tried live.
    NodeFc20230330 = "@alicloud/fc20230330",
        [ACS3_HMAC_SHA256], [STANDARD], true;
    /// Node, `@alicloud/openapi-util` 0: in general, and as in the sample for HTTP triggers. Tried
    /// live.
    NodeOpenApiUtil = "@alicloud/openapi-util",
        [ACS3_HMAC_SHA256 | ACS], [ACS3_NODE | ACS3_NODE_DOC | ACS_NODE], true;
    /// Go, `fc-go-sdk` 1, with its presigned URLs. Recorded.
    GoFc = "github.com/aliyun/fc-go-sdk",
        [FC | FC_PRESIGNED], [FC_GO_FC], false;
    /// Go, `fc-open-20210406` 2. Its two utilities are recorded.
    GoFcOpen20210406 = "github.com/alibabacloud-go/fc-open-20210406/v2",
        [FC | ACS3_HMAC_SHA256], [ACS3_GO | STANDARD], true;
    /// Go, `fc-20230330` 4. The utility that it signs with is recorded.
    GoFc20230330 = "github.com/alibabacloud-go/fc-20230330/v4",
        [ACS3_HMAC_SHA256], [ACS3_GO | STANDARD], true;
    /// Go, `alibabacloud-gateway-fc-util` 0. Recorded.
    GoGatewayFcUtil = "github.com/alibabacloud-go/alibabacloud-gateway-fc-util",
        [FC], [STANDARD], false;
    /// Go, `openapi-util` 0: in general, and as in the sample for HTTP triggers. Recorded.
    GoOpenApiUtil = "github.com/alibabacloud-go/openapi-util",
        [ACS3_HMAC_SHA256 | ACS], [ACS3_GO | ACS3_GO_DOC | STANDARD], true;
    /// Java, `com.aliyun:fc_open20210406` 2. Its two utilities are recorded.
    JavaFcOpen20210406 = "com.aliyun:fc_open20210406",
        [FC | ACS3_HMAC_SHA256], [FC_JAVA_GATEWAY | ACS3_JAVA], true;
    /// Java, `com.aliyun:fc20230330` 4. The utility that it signs with is recorded.
    JavaFc20230330 = "com.aliyun:fc20230330",
        [ACS3_HMAC_SHA256], [ACS3_JAVA | STANDARD], true;
    /// Java, `com.aliyun:alibabacloud-gateway-fc-util` 0. Recorded.
    JavaGatewayFcUtil = "com.aliyun:alibabacloud-gateway-fc-util",
        [FC], [FC_JAVA_GATEWAY], false;
    /// Java, `com.aliyun:openapiutil` 0: in general, and as in the sample for HTTP triggers.
    /// Recorded.
    JavaOpenApiUtil = "com.aliyun:openapiutil",
        [ACS3_HMAC_SHA256 | ACS], [ACS3_JAVA | ACS3_JAVA_DOC | ACS_JAVA | STANDARD], true;
}
