use super::*;

#[track_caller]
fn check(text: &str, device: DeviceSpec, shown: &str) {
    assert_eq!(text.parse::<DeviceSpec>().unwrap(), device);
    assert_eq!(device.to_string(), shown);
    assert_eq!(serde_json::to_value(device).unwrap(), serde_json::json!(shown));
    assert_eq!(serde_json::from_value::<DeviceSpec>(shown.into()).unwrap(), device);
}

#[test]
fn names_are_read_and_written() {
    check("cpu", DeviceSpec::Cpu, "cpu");
    check(" CPU ", DeviceSpec::Cpu, "cpu");
    check("cuda", DeviceSpec::Cuda { index: 0 }, "cuda:0");
    check("cuda:1", DeviceSpec::Cuda { index: 1 }, "cuda:1");
    check("wgpu", DeviceSpec::Wgpu { index: 0 }, "wgpu:0");
    check("wgpu:0", DeviceSpec::Wgpu { index: 0 }, "wgpu:0");
}

#[test]
fn refusals_list_what_is_accepted() {
    for text in
        ["", "gpu", "显卡", "cpu:0", "cuda:", "cuda:-1", "cuda:+1", "cuda:99999999999999999999"]
    {
        let message = text.parse::<DeviceSpec>().unwrap_err().to_string();
        assert!(message.contains(text), "{message}");
        assert!(message.contains("cpu") || message.contains("whole number"), "{message}");
    }
}
