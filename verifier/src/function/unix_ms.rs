//! `unix_ms(instant)`: milliseconds since 1970-01-01T00:00:00Z, and `from_unix_ms(ms)` back.
//!
//! So that rules reckon with durations as integers.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some(Arc::from("+00:00")))
}

fn convert(args: &ScalarFunctionArgs, through: &DataType, to: &DataType) -> Result<ColumnarValue> {
    let arrays = ColumnarValue::values_to_arrays(&args.args)?;
    let value: ArrayRef = cast(&arrays[0], through)?;
    Ok(ColumnarValue::Array(cast(&value, to)?))
}

/// See the module's words.
#[derive(Debug, Eq, Hash, PartialEq)]
pub struct UnixMs {
    signature: Signature,
}

impl UnixMs {
    /// The function.
    pub fn new() -> UnixMs {
        let signature = TypeSignature::Exact(vec![instant()]);
        UnixMs { signature: Signature::new(signature, Volatility::Immutable) }
    }
}

impl Default for UnixMs {
    fn default() -> UnixMs {
        UnixMs::new()
    }
}

impl ScalarUDFImpl for UnixMs {
    fn name(&self) -> &str {
        "unix_ms"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        convert(&args, &instant(), &DataType::Int64)
    }
}

/// See the module's words.
#[derive(Debug, Eq, Hash, PartialEq)]
pub struct FromUnixMs {
    signature: Signature,
}

impl FromUnixMs {
    /// The function.
    pub fn new() -> FromUnixMs {
        FromUnixMs { signature: Signature::exact(vec![DataType::Int64], Volatility::Immutable) }
    }
}

impl Default for FromUnixMs {
    fn default() -> FromUnixMs {
        FromUnixMs::new()
    }
}

impl ScalarUDFImpl for FromUnixMs {
    fn name(&self) -> &str {
        "from_unix_ms"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(instant())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        convert(&args, &DataType::Int64, &instant())
    }
}
